/** One string per partition, for maps; no topic name has a slash. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
