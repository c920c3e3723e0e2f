#ifndef LK_OPS_SIGNALS_H
#define LK_OPS_SIGNALS_H

/* Signals as requests that the main thread waits for; no handler ever runs. */

enum signal_request { SIGNAL_STOP, SIGNAL_RELOAD };

/* Blocks SIGTERM, SIGINT and SIGHUP in the calling thread, and so in all that it starts; ignores SIGPIPE. Before any
 * other thread is there. */
void signals_block(void);

/* Waits: SIGTERM and SIGINT ask to stop, SIGHUP to reload. */
enum signal_request signals_wait(void);

/* From now on a SIGTERM or SIGINT ends the process at once: somebody has lost patience with the drain. */
void signals_end_at_once(void);

#endif
