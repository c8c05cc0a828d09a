/** Makes a registry refuse schemas that could not read the latest version of a subject; some take anything by default. */
export async function keepCompatible(registryUrl: string, subject: string): Promise<void> {
  const response = await fetch(`${registryUrl}/config/${encodeURIComponent(subject)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ compatibility: 'BACKWARD' }),
  })
  if (!response.ok) throw new Error(`the registry answers ${response.status}: ${await response.text()}`)
}
