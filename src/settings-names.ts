/** How a setting is called where it can be given. */

/** The environment variable of a setting: `maxInFlightRows` is KRI_MAX_IN_FLIGHT_ROWS. */
export function settingVariable(name: string): string {
  return `KRI_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`
}

/** The flag of a setting: `maxInFlightRows` is --max-in-flight-rows. */
export function settingFlag(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}
