/* RESP2 around hiredis's parser.
 *
 * Replies are built straight into an arena that is reset after each reply: in the steady state a reply costs no malloc.
 * The parser copies what it is fed, and moves its buffer's rest to the front after each KiB consumed; it is therefore
 * fed in small slices, so that this stays cheap however much one read has brought.
 *
 * hiredis 0.14 and 1.x differ in the object functions; 1.x also understands RESP3, which never is asked for and
 * therefore is refused. */

#include "redis/resp.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <stdlib.h>

#include "base/arena.h"
#include "redis/script.h"

/* Half of it is what the parser moves on average, for every KiB parsed: about the work of copying it once. */
#define FEED_BYTES 8192U
/* A session record of common size with its reply, so that resetting gives back nothing. */
#define ARENA_FIRST_BYTES 4096U
/* Below this the parser keeps its buffer between replies. */
#define IDLE_BUFFER_BYTES 65536U

struct resp_reader {
	redisReader *parser;
	arena *memory;
};

/* The parser knows a reply by the address of its head. */
struct value {
	struct store_reply reply;
	const struct store_reply **slots; /* of an array: what reply.elements shows */
};

/* snprintf would cost more than all the rest of sending a command. */
static void put_number(struct resp_request *r, size_t n)
{
	char digits[20];
	size_t len = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	while (len > 0)
		r->text[r->text_len++] = digits[--len];
}

static void put_end(struct resp_request *r)
{
	r->text[r->text_len++] = '\r';
	r->text[r->text_len++] = '\n';
}

static void put_head(struct resp_request *r, char type, size_t n)
{
	r->text[r->text_len++] = type;
	put_number(r, n);
	put_end(r);
}

/* What was written as text since the last part becomes one. */
static void flush_text(struct resp_request *r)
{
	r->parts[r->count++] = (struct iovec){
	    .iov_base = r->text + r->text_in_parts,
	    .iov_len = r->text_len - r->text_in_parts,
	};
	r->text_in_parts = r->text_len;
}

static void put_argument(struct resp_request *r, span bytes)
{
	/* iovec has no const; nothing writes through these. */
	union {
		const uint8_t *in;
		void *out;
	} base = {.in = bytes.ptr};

	put_head(r, '$', bytes.len);
	if (bytes.len > 0 && bytes.len <= RESP_SHORT_BYTES) {
		memcpy(r->text + r->text_len, bytes.ptr, bytes.len);
		r->text_len += bytes.len;
	} else if (bytes.len > 0) {
		flush_text(r);
		r->parts[r->count++] = (struct iovec){.iov_base = base.out, .iov_len = bytes.len};
	}
	put_end(r);
}

static void put_script(struct resp_request *r, const struct store_command *c, enum resp_form form)
{
	static const span commands[] = {
	    [RESP_BY_HASH] = SPAN_LIT("EVALSHA"),
	    [RESP_BY_SOURCE] = SPAN_LIT("EVAL"),
	    [RESP_BY_HASH_READ_ONLY] = SPAN_LIT("EVALSHA_RO"),
	    [RESP_BY_SOURCE_READ_ONLY] = SPAN_LIT("EVAL_RO"),
	};
	const struct script *script = script_get(c->script);
	const bool is_by_hash = form == RESP_BY_HASH || form == RESP_BY_HASH_READ_ONLY;

	assert(c->key_count <= c->argc);
	put_argument(r, commands[form]);
	put_argument(r, is_by_hash ? span_str(script->sha1) : script->source);
	put_head(r, '$', c->key_count < 10 ? 1 : 2);
	put_number(r, c->key_count);
	put_end(r);
}

void resp_encode(const struct store_command *command, enum resp_form form, struct resp_request *ret)
{
	bool is_script = command->script != STORE_NO_SCRIPT;

	assert(command->argc <= STORE_ARGS_MAX && command->argc + is_script >= 1);
	ret->count = 0;
	ret->text_len = 0;
	ret->text_in_parts = 0;
	put_head(ret, '*', command->argc + (is_script ? 3U : 0U));
	if (is_script)
		put_script(ret, command, form);
	for (size_t i = 0; i < command->argc; i++)
		put_argument(ret, command->argv[i]);
	flush_text(ret);
	assert(ret->count <= RESP_PARTS_MAX && ret->text_len <= sizeof(ret->text));
}

static unsigned depth_of(const redisReadTask *task)
{
	unsigned depth = 1;

	for (const redisReadTask *t = task->parent; t != NULL && depth <= RESP_DEPTH_MAX; t = t->parent)
		depth++;
	return depth;
}

/* NULL makes the parser give up: that is how a limit is enforced. */
static struct value *make(const redisReadTask *task, enum store_reply_type type)
{
	struct value *n = arena_alloc(task->privdata, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->reply.type = type;
	if (task->parent != NULL) {
		struct value *parent = task->parent->obj;

		assert(task->idx >= 0 && (size_t)task->idx < parent->reply.count);
		parent->slots[task->idx] = &n->reply;
	}
	return n;
}

static void *make_string(const redisReadTask *task, char *bytes, size_t len)
{
	enum store_reply_type type;
	struct value *n;

	switch (task->type) {
	case REDIS_REPLY_STRING:
		type = STORE_STRING;
		break;
	case REDIS_REPLY_STATUS:
		type = STORE_STATUS;
		break;
	case REDIS_REPLY_ERROR:
		type = STORE_ERROR;
		break;
	default:
		return NULL;
	}
	n = make(task, type);
	if (n == NULL || !arena_copy(task->privdata, span_of(bytes, len), &n->reply.string))
		return NULL;
	return n;
}

#if HIREDIS_MAJOR >= 1
static void *make_array(const redisReadTask *task, size_t count)
#else
static void *make_array(const redisReadTask *task, int count)
#endif
{
	struct value *n;

	if (task->type != REDIS_REPLY_ARRAY || (size_t)count > RESP_ELEMENTS_MAX || depth_of(task) > RESP_DEPTH_MAX)
		return NULL;
	n = make(task, STORE_ARRAY);
	if (n == NULL)
		return NULL;
	n->slots = arena_array(task->privdata, (size_t)count, sizeof(struct store_reply *));
	if (n->slots == NULL)
		return NULL;
	n->reply.count = (size_t)count;
	n->reply.elements = n->slots;
	return n;
}

static void *make_integer(const redisReadTask *task, long long value)
{
	struct value *n = make(task, STORE_INTEGER);

	if (n != NULL)
		n->reply.integer = value;
	return n;
}

static void *make_nil(const redisReadTask *task)
{
	return make(task, STORE_NIL);
}

static void free_nothing(void *object)
{
	(void)object;
}

#if HIREDIS_MAJOR >= 1
static void *refuse_double(const redisReadTask *task, double value, char *text, size_t len)
{
	(void)task;
	(void)value;
	(void)text;
	(void)len;
	return NULL;
}

static void *refuse_bool(const redisReadTask *task, int value)
{
	(void)task;
	(void)value;
	return NULL;
}
#endif

resp_reader *resp_reader_new(void)
{
	/* Not const only because the parser's prototype is not. */
	static redisReplyObjectFunctions functions = {
		.createString = make_string,
		.createArray = make_array,
		.createInteger = make_integer,
		.createNil = make_nil,
		.freeObject = free_nothing,
#if HIREDIS_MAJOR >= 1
		.createDouble = refuse_double,
		.createBool = refuse_bool,
#endif
	};
	resp_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->parser = redisReaderCreateWithFunctions(&functions);
	r->memory = arena_new(ARENA_FIRST_BYTES, RESP_REPLY_BYTES_MAX);
	if (r->parser == NULL || r->memory == NULL) {
		resp_reader_free(&r);
		return NULL;
	}
	r->parser->privdata = r->memory;
	r->parser->maxbuf = IDLE_BUFFER_BYTES;
	return r;
}

void resp_reader_free(resp_reader **r)
{
	if (*r == NULL)
		return;
	if ((*r)->parser != NULL)
		redisReaderFree((*r)->parser);
	arena_free(&(*r)->memory);
	free(*r);
	*r = NULL;
}

enum drained { DRAINED, DRAINED_STOP, DRAINED_BROKEN };

static enum drained drain(resp_reader *r, bool (*reply)(void *owner, const struct store_reply *reply), void *owner)
{
	for (;;) {
		void *object = NULL;
		bool go_on;

		if (redisReaderGetReply(r->parser, &object) != REDIS_OK)
			return DRAINED_BROKEN;
		if (object == NULL)
			return r->parser->len - r->parser->pos > RESP_REPLY_BYTES_MAX ? DRAINED_BROKEN : DRAINED;
		go_on = reply(owner, &((struct value *)object)->reply);
		arena_reset(r->memory);
		if (!go_on)
			return DRAINED_STOP;
	}
}

bool resp_reader_input(resp_reader *r, span data, bool (*reply)(void *owner, const struct store_reply *reply),
		       void *owner)
{
	while (data.len > 0) {
		size_t slice = data.len < FEED_BYTES ? data.len : FEED_BYTES;
		enum drained state;

		if (redisReaderFeed(r->parser, (const char *)data.ptr, slice) != REDIS_OK)
			return false;
		state = drain(r, reply, owner);
		if (state != DRAINED)
			return state == DRAINED_STOP;
		data = span_of(data.ptr + slice, data.len - slice);
	}
	return true;
}
