/**
 * The Linux builds of onnxruntime report their use to their maker unless this variable says otherwise, read when the native
 * library starts. A worker's `process.env` is a copy that native code does not see, so the thread that starts workers
 * imports this, and so does the module that loads onnxruntime, before it does.
 */
process.env.ORT_DISABLE_TELEMETRY = '1'
