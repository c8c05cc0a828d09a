/** A lane's worker thread in which runs and loads can be deadly. */
import './deadly-sessions.ts'
import '../../src/models/lane-worker.ts'
