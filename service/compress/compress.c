/* Texts of some hundred bytes: what zstd finds in them alone is not worth its own headers, so it begins with a
 * dictionary. The four bytes by which a frame is known are left out, for here nothing else can stand.
 *
 * A context takes longer to make than a text takes to compress. So each is put back into a slot after use, from which any
 * thread may take it by one atomic exchange; where all slots are empty another is made, and where all are full it is
 * freed. What it costs is bounded by the slots, and by the calls that are at it in the same moment. */

#include "compress/compress.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <zstd.h>

#include "compress/dictionary.h"

/* zstd's own default: 1 us for 256 bytes. Higher ones take several times that and gain two of a hundred. */
#define LEVEL 3
/* As many threads as handle frames at once on a large machine; 96 KiB for each that decompresses, about 200 for each that
 * compresses, once it was used. */
#define SLOTS 16

static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};

struct slots {
	_Atomic(void *) slots[SLOTS];
};

struct compressor {
	ZSTD_CDict *pack;
	ZSTD_DDict *unpack;
	struct slots packers;	/* ZSTD_CCtx */
	struct slots unpackers; /* ZSTD_DCtx */
};

/* NULL: there is none. */
static void *take(struct slots *s)
{
	void *found = NULL;

	for (size_t i = 0; i < SLOTS && found == NULL; i++)
		if (atomic_load_explicit(&s->slots[i], memory_order_relaxed) != NULL)
			found = atomic_exchange_explicit(&s->slots[i], NULL, memory_order_acquire);
	return found;
}

/* False: all slots are full. */
static bool put_back(struct slots *s, void *context)
{
	for (size_t i = 0; i < SLOTS; i++) {
		void *empty = NULL;

		if (atomic_compare_exchange_strong_explicit(&s->slots[i], &empty, context, memory_order_release,
							    memory_order_relaxed))
			return true;
	}
	return false;
}

static ZSTD_CCtx *make_packer(const compressor *c)
{
	ZSTD_CCtx *packer = ZSTD_createCCtx();

	if (packer == NULL)
		return NULL;
	if (!ZSTD_isError(ZSTD_CCtx_setParameter(packer, ZSTD_c_dictIDFlag, 0)) &&
	    !ZSTD_isError(ZSTD_CCtx_refCDict(packer, c->pack)))
		return packer;
	(void)ZSTD_freeCCtx(packer);
	return NULL;
}

compressor *compressor_new(void)
{
	compressor *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->pack = ZSTD_createCDict(dictionary, sizeof(dictionary), LEVEL);
	c->unpack = ZSTD_createDDict(dictionary, sizeof(dictionary));
	if (c->pack == NULL || c->unpack == NULL)
		compressor_free(&c);
	return c;
}

void compressor_free(compressor **c)
{
	compressor *old = *c;
	void *context;

	*c = NULL;
	if (old == NULL)
		return;
	while ((context = take(&old->packers)) != NULL)
		(void)ZSTD_freeCCtx(context);
	while ((context = take(&old->unpackers)) != NULL)
		(void)ZSTD_freeDCtx(context);
	(void)ZSTD_freeCDict(old->pack);
	(void)ZSTD_freeDDict(old->unpack);
	free(old);
}

bool compress_text(compressor *c, arena *a, span text, span *ret)
{
	const size_t room = sizeof(magic) + text.len - text.len / 8;
	ZSTD_CCtx *packer;
	uint8_t *packed;
	size_t n;

	if (text.len < COMPRESS_BYTES_MIN)
		return false;
	packed = arena_alloc(a, room);
	packer = packed == NULL ? NULL : take(&c->packers);
	if (packed != NULL && packer == NULL)
		packer = make_packer(c);
	if (packer == NULL)
		return false;
	/* A result that is not worth it does not fit, and fails. */
	n = ZSTD_compress2(packer, packed, room, text.ptr, text.len);
	if (!put_back(&c->packers, packer))
		(void)ZSTD_freeCCtx(packer);
	if (ZSTD_isError(n))
		return false;
	assert(n > sizeof(magic) && memcmp(packed, magic, sizeof(magic)) == 0);
	*ret = span_of(packed + sizeof(magic), n - sizeof(magic));
	return true;
}

/* The frame as zstd knows it. NULL: the arena is full. */
static const uint8_t *frame_of(arena *a, span packed)
{
	uint8_t *frame = arena_alloc(a, sizeof(magic) + packed.len);

	if (frame == NULL)
		return NULL;
	memcpy(frame, magic, sizeof(magic));
	if (packed.len > 0)
		memcpy(frame + sizeof(magic), packed.ptr, packed.len);
	return frame;
}

/* How much came out; 0: none. */
static size_t unpack(compressor *c, uint8_t *text, size_t text_len, const uint8_t *frame, size_t frame_len)
{
	ZSTD_DCtx *unpacker = take(&c->unpackers);
	size_t n;

	if (unpacker == NULL)
		unpacker = ZSTD_createDCtx();
	if (unpacker == NULL)
		return 0;
	n = ZSTD_decompress_usingDDict(unpacker, text, text_len, frame, frame_len, c->unpack);
	if (!put_back(&c->unpackers, unpacker))
		(void)ZSTD_freeDCtx(unpacker);
	return ZSTD_isError(n) ? 0 : n;
}

bool decompress_text(compressor *c, arena *a, span packed, size_t text_max, span *ret)
{
	const size_t frame_len = sizeof(magic) + packed.len;
	const uint8_t *frame;
	unsigned long long announced;
	uint8_t *text;

	_Static_assert(ZSTD_CONTENTSIZE_UNKNOWN > SIZE_MAX / 2 && ZSTD_CONTENTSIZE_ERROR > SIZE_MAX / 2,
		       "both of zstd's non-sizes are beyond any text_max");
	assert(text_max <= SIZE_MAX / 2);
	frame = frame_of(a, packed);
	if (frame == NULL)
		return false;
	announced = ZSTD_getFrameContentSize(frame, frame_len);
	if (announced == 0 || announced > text_max)
		return false;
	text = arena_alloc(a, (size_t)announced);
	if (text == NULL || unpack(c, text, (size_t)announced, frame, frame_len) != announced)
		return false;
	*ret = span_of(text, (size_t)announced);
	return true;
}
