#ifndef LK_RPC_TEXT_H
#define LK_RPC_TEXT_H

#include "base/span.h"

/* The longest name that a message quotes: a realm's, and most of a method's. */
#define TEXT_QUOTED_BYTES_MAX 64

struct text_quoted {
	char chars[TEXT_QUOTED_BYTES_MAX + 1];
};

/* Foreign bytes made fit for a message: cut, and all but printable ASCII replaced by '?'. */
struct text_quoted text_quote(span s);

#endif
