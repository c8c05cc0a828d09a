/** onnxruntime alone in a process of its own, as a lane on a GPU has one: devices are not shared between threads. */
import { type RawSessionOrder, runRawSession } from '../raw-session.ts'
import { receiveOrder, reportResult } from './child.ts'

reportResult(await runRawSession(await receiveOrder<RawSessionOrder>()))
