#ifndef LK_RPC_OUTCOME_H
#define LK_RPC_OUTCOME_H

/* What a caller is told when the store did not reply. */

#include "base/status.h"
#include "store/store.h"

/* result->outcome is not STORE_REPLIED. */
enum status_code outcome_status(const struct store_command *command, const struct store_result *result,
				struct status *st);

/* The word that Redis's errors start with, such as "OOM"; empty when there is none. It holds no data. */
span outcome_error_word(const struct store_result *result);

/* All that Redis says, without the arguments of ours that it may repeat: for the log. */
span outcome_error_words(const struct store_result *result);

#endif
