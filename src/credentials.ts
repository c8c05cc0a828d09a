/** Stands where a secret would. */
export const MASK = '***'

/** User names and passwords inside URLs masked. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/\/\/[^/\s]*@/g, `//${MASK}@`)
}
