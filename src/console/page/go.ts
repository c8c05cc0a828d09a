/** Goes to another place of the page. What the parameters say is written so that it stays a parameter. */
export function go(path: `#/${string}`, parameters = new URLSearchParams()): void {
  const query = parameters.toString()
  location.hash = query === '' ? path : `${path}?${query}`
}
