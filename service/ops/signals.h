#ifndef LK_OPS_SIGNALS_H
#define LK_OPS_SIGNALS_H

/* Signals as requests that the main thread waits for; no handler ever runs. */

#include <stdint.h>

enum signal_request { SIGNAL_STOP, SIGNAL_RELOAD, SIGNAL_NONE };

/* Blocks SIGTERM, SIGINT and SIGHUP in the calling thread, and so in all that it starts; ignores SIGPIPE. Before any
 * other thread is there. */
void signals_block(void);

/* Waits, but no longer than timeout_ms unless it is 0: SIGTERM and SIGINT ask to stop, SIGHUP to reload. */
enum signal_request signals_wait(uint32_t timeout_ms);

/* From now on a SIGTERM or SIGINT ends the process at once: somebody has lost patience with the drain. */
void signals_end_at_once(void);

#endif
