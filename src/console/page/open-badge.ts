/**
 * How many dead letters are open, in the navigation. It is counted by a scan when the page is opened and when a replay has ended;
 * in between what comes to the topics is added. Of very many a scan is made where a person asks for it, and until then all count.
 */
import type { ConsoleSnapshot } from '../console-api.ts'
import { readGroups } from './api.ts'
import { el, unseen } from './elements.ts'
import { count } from './format.ts'
import { morph } from './morph.ts'
import { watchEnds } from './replay-ends.ts'

const SCANNED_RECORDS = 100_000
/** What comes during a scan may be in it or not: it is made again, unless they never stop coming. */
const MOST_SCANS = 3

export interface OpenBadge {
  readonly element: HTMLElement
  update(snapshot: ConsoleSnapshot): void
}

export function openBadge(): OpenBadge {
  const element = el('span', { class: 'badge', hidden: true })
  let counted: { readonly open: number; readonly records: number } | undefined
  const hasEnded = watchEnds()
  let scansLeft = MOST_SCANS
  let isScanning = false
  let ended = 0
  let records = 0
  const show = () => {
    const open = counted === undefined ? records : Math.max(0, counted.open + records - counted.records)
    element.hidden = open === 0
    morph(element, ' ', count(open), unseen(counted === undefined ? ' in all' : ' open'))
  }
  const scan = async (at: number) => {
    const endedBefore = ended
    const isLast = () => ended === endedBefore
    try {
      const { open } = await readGroups({ open: true })
      counted = { open, records: at }
      if (records === at && isLast()) scansLeft = 0
      show()
    } catch {
      // The scan can be refused where others run: all letters are shown, until the next replay ends.
      counted = undefined
      if (isLast()) scansLeft = 0
    } finally {
      isScanning = false
    }
  }
  return {
    element,
    update({ deadLetters, replays }) {
      records = deadLetters.reduce((sum, topic) => sum + topic.records, 0)
      if (hasEnded(replays)) {
        ended++
        scansLeft = MOST_SCANS
      }
      if (scansLeft > 0 && !isScanning && records > 0 && records <= SCANNED_RECORDS) {
        scansLeft--
        isScanning = true
        void scan(records)
      }
      show()
    },
  }
}
