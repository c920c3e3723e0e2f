#ifndef LK_CLI_CONNECT_H
#define LK_CLI_CONNECT_H

/* A client of the servers that the line names, with the credential of the file that it names. */

#include "line.h"

/* options: what the line does not say; the rest of it is overwritten. Says what fails, and returns the exit status. */
int connect_open(const struct line *line, const struct lk_options *options, lk_client **ret_client);

#endif
