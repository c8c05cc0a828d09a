/**
 * The pipes between a lane and its child process. They are not the standard streams: native libraries print there what and
 * when they like.
 */
export const REQUESTS_FD = 3
export const REPLIES_FD = 4
