/** What puts topics right, to be pasted. `moduleArguments`: what it is called with, where that is known. */
export function applyCommand(moduleArguments: string | undefined): string {
  return moduleArguments === undefined ? 'kri topics apply' : `kri topics apply ${moduleArguments}`
}
