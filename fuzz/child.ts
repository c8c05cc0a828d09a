/** A process that executes part of a course. */
import { takeOrder } from './part.ts'
import { sources } from './sources.ts'

takeOrder(sources)
