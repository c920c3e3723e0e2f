/* Sessions are created by the plans of the product, and their records carried on as the update script does it. */

#include "shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "compress/compress.h"
#include "crypto/codec.h"
#include "session/forward.h"
#include "session/handle.h"
#include "session/record.h"

/* All that is sealed: 12 sessions of 18 records, the largest of 3 KiB. */
#define SHELF_BYTES_MAX (16UL << 20)
#define BIG_BYTES	2000

static const char *const names[SHELF_ATTRIBUTES] = {"cart", "lang", "n", "theme"};

void must(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "soak: %s\n", what);
	abort();
}

struct plan_env shelf_env(const struct shelf *s, const struct realm *realm, arena *a)
{
	return (struct plan_env){
	    .keys = s->keys, .compressor = s->compressor, .realm = realm, .arena = a, .now_ms = SHELF_NOW_MS};
}

/* Text that tells where it belongs, so that a mix would show. */
static span value_of(const struct shelf *s, const struct good *g, size_t number, bool is_big)
{
	const span text = arena_printf(s->arena, "%ld/%zu", (long)(g - s->sessions), number);
	uint8_t *big;

	if (!is_big)
		return text;
	big = arena_alloc(s->arena, BIG_BYTES);
	must(big != NULL, "no memory");
	for (size_t i = 0; i < BIG_BYTES; i++)
		big[i] = text.ptr[i % text.len];
	return span_of(big, BIG_BYTES);
}

struct record_place shelf_place(const struct shelf *s, const struct good *g)
{
	return (struct record_place){.keys = s->keys,
				     .compressor = s->compressor,
				     .key = g->key,
				     .id = span_of(g->id, 32),
				     .created_s = SHELF_NOW_MS / 1000};
}

static void create(struct shelf *s, struct good *g, size_t number)
{
	const struct plan_env env = shelf_env(s, g->realm, s->arena);
	const struct session_attribute first = {span_str(names[0]), value_of(s, g, 0, number % 6 == 5)};
	const struct session_create_request req = {.user = g->user,
						   .class_name = g->class_name,
						   .attribute_count = 1,
						   .attributes = &first,
						   .device.ip = SPAN_LIT("192.0.2.7"),
						   .authentication.aal = 1 + (uint32_t)number % 3};
	const struct store_reply ok = {.type = STORE_STRING, .string = SPAN_LIT("ok")};
	const struct store_reply *const elements[] = {&ok};
	const struct store_reply reply = {.type = STORE_ARRAY, .count = 1, .elements = elements};
	struct session_create_result created = {0};
	struct plan plan;
	enum plan_next next;
	struct handle handle;
	struct token token;
	struct status st;

	must(session_create_plan(&env, &req, &plan, &st) == STATUS_OK, "create");
	g->bases[0] = (struct sealed_base){
	    .bytes = plan.command.argv[plan.command.key_count], .count = 1, .attributes = {{first.key, first.value}}};
	must(session_create_answer(&env, &plan, &reply, &next, &created, &st) == STATUS_OK && next == PLAN_DONE,
	     "create's answer");
	g->token = created.token;
	must(token_parse(s->keys, g->realm->name, g->token, SHELF_NOW_MS, &token) == REASON_NONE, "token");
	memcpy(g->id, token.id, sizeof(g->id));
	handle_of_token(s->keys, &token, &handle);
	must(key_of_session(s->arena, &handle, &g->key), "key");
	g->base_count = 1;
	g->values[g->value_count++] = g->bases[0].bytes;
}

/* As session_update does it. */
static span append(const struct shelf *s, span record, span delta)
{
	uint8_t *out = arena_alloc(s->arena, record.len + delta.len);

	must(out != NULL, "no memory");
	memcpy(out, record.ptr, record.len);
	memcpy(out + record.len, delta.ptr, delta.len);
	out[50]++;
	return span_of(out, record.len + delta.len);
}

/* Every other delta is bound to its place; some remove. */
static void update(struct shelf *s, struct good *g, size_t number)
{
	const struct record_place place = shelf_place(s, g);
	const span last = g->values[g->value_count - 1];
	struct sealed_delta *d = &g->deltas[g->delta_count++];
	struct session_attribute set;
	struct record record;
	span text;

	d->change.key = span_str(names[number % SHELF_ATTRIBUTES]);
	if (number % 5 != 4)
		d->change.value = value_of(s, g, number, false);
	set = (struct session_attribute){d->change.key, d->change.value};
	must(record_split(last, &record) == RECORD_OK, "split");
	must(d->change.value.len > 0 ? attributes_print(s->arena, &set, 1, NULL, 0, &text)
				     : attributes_print(s->arena, NULL, 0, &set.key, 1, &text),
	     "print");
	must(delta_write(s->arena, &place, number % 2 == 0 ? record.header.version + 1 : 0, text, &d->bytes), "delta");
	g->values[g->value_count++] = append(s, last, d->bytes);
}

/* As compact does it, under the first key of now. */
static void rewrite(struct shelf *s, struct good *g)
{
	const struct record_place place = shelf_place(s, g);
	struct sealed_base *base = &g->bases[g->base_count++];
	struct record_content content;
	struct record record;
	span metadata_text;
	span data_text;

	must(record_split(g->values[g->value_count - 1], &record) == RECORD_OK, "split");
	must(record_open(s->arena, &place, &record, SPAN_EMPTY, &content) == RECORD_OK, "open");
	record.header.version++;
	must(content.attribute_count <= SHELF_ATTRIBUTES &&
		 metadata_print(s->arena, &content.metadata, &metadata_text) &&
		 attributes_print(s->arena, content.attributes, content.attribute_count, NULL, 0, &data_text) &&
		 record_write(s->arena, &place, &record.header, metadata_text, data_text, &base->bytes),
	     "rewrite");
	base->count = content.attribute_count;
	for (size_t i = 0; i < content.attribute_count; i++)
		base->attributes[i] = (struct change){content.attributes[i].key, content.attributes[i].value};
	g->values[g->value_count++] = base->bytes;
}

/* From session i to another of the shelf, which serves as its successor; every other is under the second key. */
static void forward(struct shelf *s, size_t i)
{
	struct good_forward *f = &s->forwards[i];
	const struct good *to = &s->sessions[(i + 5) % SHELF_SESSIONS];
	struct forward_header header = {.rotated_at_ms = SHELF_NOW_MS,
					.grace_until_ms = SHELF_NOW_MS + 10000,
					.realm_tag = s->sessions[i].realm->tag};
	struct forward_inside inside = {.authentication = {.aal = 1}};
	struct record_place place;

	f->from = &s->sessions[i];
	place = shelf_place(s, f->from);
	memcpy(header.name, to->key.ptr + to->key.len - NAME_CHARS, NAME_CHARS);
	must(base64_decode(span_of(to->token.ptr + 5, TOKEN_CHARS - 5), f->successor, TOKEN_BYTES), "base64");
	memcpy(inside.token, f->successor, TOKEN_BYTES);
	must(forward_write(s->arena, &place, &header, &inside, &f->bytes), "forward");
}

/* Under the first key of now; every other in the other realm, some large. */
static void create_anonymous(struct shelf *s, size_t i)
{
	struct good_anonymous *g = &s->anonymous[i];
	struct session_attribute one = {.key = span_str(names[0])};
	struct session_create_result created = {0};
	struct session_create_request req = {.attribute_count = 1, .attributes = &one, .is_anonymous = true};
	struct plan plan = {0};
	struct plan_env env;
	enum plan_next next;
	struct status st;

	g->realm = &s->realm_list[i % 2];
	g->value = value_of(s, &s->sessions[i], 1000 + i, i % 4 == 3);
	if (g->value.len > 1000)
		g->value.len = 1000;
	one.value = g->value;
	env = shelf_env(s, g->realm, s->arena);
	must(session_create_plan(&env, &req, &plan, &st) == STATUS_OK && !plan.has_command &&
		 session_create_answer(&env, &plan, NULL, &next, &created, &st) == STATUS_OK && next == PLAN_DONE,
	     "anonymous");
	g->token = created.token;
}

/* Two keys, the second of which becomes the first half-way. */
static void make_keys(struct shelf *s, char path[static 64])
{
	char folder[] = "/tmp/latchkey-soak-XXXXXX";
	struct status st;
	uint16_t id;

	must(crypto_start() && mkdtemp(folder) != NULL, "no folder for the keys");
	(void)snprintf(path, 64, "%s/keys", folder);
	must(keyring_create(path, &st) == STATUS_OK && keyring_add_key(path, &id, &st) == STATUS_OK &&
		 keyring_load(path, &s->keys, &st) == STATUS_OK,
	     "keys");
}

static void promote(struct shelf *s, char path[static 64])
{
	keyring *old = s->keys;
	struct status st;

	must(keyring_promote_key(path, 2, &st) == STATUS_OK &&
		 keyring_reload(old, path, SHELF_NOW_MS, &s->keys, &st) == STATUS_OK,
	     "promotion");
	keyring_release(&old);
	(void)unlink(path);
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
}

static void make_realms(struct shelf *s)
{
	const struct session_policy policy = {
	    .idle_timeout_s = 1800, .absolute_timeout_s = 43200, .sessions_max = 10, .tombstone_s = 600};
	struct status st;

	s->classes[0] = (struct session_class){.name = SPAN_LIT("default"), .policy = policy};
	s->classes[1] = (struct session_class){.name = SPAN_LIT("remember-me"), .policy = policy};
	s->other_classes[0] = s->classes[0];
	s->realm_list[0] = (struct realm){.name = SPAN_LIT("default"), .class_count = 2, .classes = s->classes};
	s->realm_list[1] = (struct realm){.name = SPAN_LIT("other"), .class_count = 1, .classes = s->other_classes};
	s->realms = (struct realms){2, s->realm_list};
	s->compressor = compressor_new();
	must(s->compressor != NULL, "compressor");
	must(realms_seal(&s->realms, s->keys, &st) == STATUS_OK, "realms");
}

void shelf_open(struct shelf *s)
{
	char path[64];

	*s = (struct shelf){.arena = arena_new(1UL << 20, SHELF_BYTES_MAX)};
	must(s->arena != NULL, "no memory");
	make_keys(s, path);
	make_realms(s);
	for (size_t i = 0; i < SHELF_SESSIONS; i++) {
		struct good *g = &s->sessions[i];

		/* Pairs of one user's; every third session in the other realm. */
		g->realm = &s->realm_list[i % 3 == 2];
		g->class_name = i % 3 == 1 ? s->classes[1].name : s->classes[0].name;
		g->user = arena_printf(s->arena, "user-%zu", i / 2);
		create(s, g, i);
		for (size_t n = 0; n < i % (SHELF_DELTAS + 1); n++)
			update(s, g, n + 1);
	}
	for (size_t i = 0; i < SHELF_FORWARDS; i += 2)
		forward(s, i);
	for (size_t i = 0; i < SHELF_ANONYMOUS / 2; i++)
		create_anonymous(s, i);
	promote(s, path);
	for (size_t i = 1; i < SHELF_FORWARDS; i += 2)
		forward(s, i);
	for (size_t i = SHELF_ANONYMOUS / 2; i < SHELF_ANONYMOUS; i++)
		create_anonymous(s, i);
	for (size_t i = 0; i < SHELF_SESSIONS; i += 2) {
		rewrite(s, &s->sessions[i]);
		for (size_t n = 0; n < (i + 3) % (SHELF_DELTAS + 1); n++)
			update(s, &s->sessions[i], SHELF_DELTAS + n + 1);
	}
}

void shelf_close(struct shelf *s)
{
	arena_free(&s->arena);
	keyring_release(&s->keys);
	compressor_free(&s->compressor);
}
