#include "blob.h"

#include <assert.h>
#include <stdlib.h>

/* The largest object, a session, has 368 with pointers of 64 bits. */
#define OBJECT_BYTES_MAX 512

void *blob_build(size_t bytes, blob_fill fill, const void *from, size_t *ret_block_bytes)
{
	alignas(max_align_t) uint8_t dummy[OBJECT_BYTES_MAX];
	struct blob measured = {0};
	struct blob blob;
	void *object;

	assert(bytes <= sizeof(dummy));
	memset(dummy, 0, bytes);
	(void)blob_room(&measured, bytes);
	fill(&measured, from, dummy);
	blob = (struct blob){.start = calloc(1, measured.used)};
	object = blob_room(&blob, bytes);
	if (object == NULL)
		return NULL;
	fill(&blob, from, object);
	assert(blob.used == measured.used);
	if (ret_block_bytes != NULL)
		*ret_block_bytes = measured.used;
	return object;
}
