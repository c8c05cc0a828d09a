/** Transactions, which this project does not write itself. */

/** Writes records to partition 0 of a topic in one transaction, and commits or aborts it. */
export async function writeTransaction(
  brokers: readonly string[],
  topic: string,
  { values, end }: { readonly values: readonly Buffer[]; readonly end: 'commit' | 'abort' },
): Promise<void> {
  // Only now: kafkajs must be mended by our adapter before anybody loads it.
  const { default: kafkajs } = await import('kafkajs')
  const client = new kafkajs.Kafka({ clientId: 'test', brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING })
  const producer = client.producer({ transactionalId: `${topic}.${end}`, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: values.map(value => ({ value, partition: 0 })) })
  await transaction[end]()
  await producer.disconnect()
}
