#include "redis/script.h"

#include <assert.h>

/* SOURCE_id, the bytes with a NUL behind them, and SHA1_id for every script, made by embed.cmake. */
#include "redis/scripts.inc"

static const struct script scripts[STORE_SCRIPTS] = {
#define X(id, file) [STORE_SCRIPT_##id] = {file, {SOURCE_##id, sizeof(SOURCE_##id) - 1}, SHA1_##id},
    STORE_SCRIPT_MAP(X)
#undef X
};

const struct script *script_get(enum store_script id)
{
	assert(id > STORE_NO_SCRIPT && id < STORE_SCRIPTS);
	return &scripts[id];
}
