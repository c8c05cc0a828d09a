// Loaded before a script that another process started over a channel: when that process is gone, however it ended, this
// one is asked to end too. A worker thread or an unrelated start has no channel, and nothing happens.
if (process.connected) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The listener alone must not keep the process alive.
  process.channel.unref()
}
