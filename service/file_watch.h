#ifndef LK_SERVICE_FILE_WATCH_H
#define LK_SERVICE_FILE_WATCH_H

/* Whether the files that the configuration names have changed since they were read. Part of the composition root. */

#include "config/config.h"

typedef struct file_watch file_watch;

/* Takes them as they are now: before they are read. The configuration must live as long. NULL: out of memory. */
file_watch *file_watch_new(const struct config *c);
void file_watch_free(file_watch **w);

/* Looks at all. True: one that is read again has changed, and was the same the last time; the log says which. One that is
 * read at a start only is told of in the log. */
bool file_watch_has_changed(file_watch *w);

/* They are about to be read: what is there now is no change any more. Tells of those that are read at a start only. */
void file_watch_accept(file_watch *w);

#endif
