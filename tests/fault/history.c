#include "fault/history.h"

#include <stdlib.h>
#include <string.h>

#define TAG_CHARS 11
#define SLOTS	  16384

/* Doubles the room for one more. */
static void *grow(void *items, size_t count, size_t *room, size_t item_size)
{
	if (count < *room)
		return items;
	*room = *room == 0 ? 256 : *room * 2;
	items = realloc(items, *room * item_size);
	if (items == NULL)
		abort();
	return items;
}

void history_add(struct history *h, const struct history_entry *entry)
{
	h->entries = grow(h->entries, h->count, &h->room, sizeof(*h->entries));
	h->entries[h->count++] = *entry;
}

uint32_t history_add_session(struct history *h, const char *handle)
{
	struct history_session *session;

	h->sessions = grow(h->sessions, h->session_count, &h->session_room, sizeof(*h->sessions));
	session = &h->sessions[h->session_count];
	(void)snprintf(session->handle, sizeof(session->handle), "%s", handle);
	return (uint32_t)h->session_count++;
}

uint16_t history_add_text(struct history *h, const char *text)
{
	if (text[0] == '\0')
		return 0;
	for (size_t i = 0; i < h->text_count; i++)
		if (strcmp(h->texts[i], text) == 0)
			return (uint16_t)(i + 1);
	if (h->text_count == HISTORY_TEXTS_MAX)
		return 0;
	(void)snprintf(h->texts[h->text_count], sizeof(h->texts[0]), "%s", text);
	return (uint16_t)++h->text_count;
}

/* CRC16 as the Redis Cluster specification has it (XMODEM). Computed anew here, so that a defect of the service's own is
 * seen. */
uint16_t history_slot_of_handle(const char *handle)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < TAG_CHARS && handle[i] != '\0'; i++) {
		crc ^= (uint16_t)((unsigned char)handle[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
	}
	return crc % SLOTS;
}

unsigned history_shard_of_slot(uint16_t slot, unsigned shards)
{
	return slot * shards / SLOTS;
}

static void print_question(FILE *out, const struct history_entry *e)
{
	static const char *const names[] = {"create", "get", "update", "rotate", "revoke", "revoke-user"};

	(void)fprintf(out, "%s%s", e->is_audit ? "final " : "", names[e->op]);
	if (e->op == HISTORY_UPDATE)
		(void)fprintf(out, " n=%u", e->n);
	if (e->token > 0)
		(void)fprintf(out, " by token %u", e->token);
	if (e->expected != 0)
		(void)fprintf(out, " if version %llu", (unsigned long long)e->expected);
}

static void print_answer(FILE *out, const struct history_entry *e)
{
	(void)fprintf(out, "%s", lk_err_name((enum lk_err)e->err));
	if (e->op == HISTORY_GET)
		(void)fprintf(out, " %s", lk_verdict_name((enum lk_verdict)e->verdict));
	if (e->reason != LK_REASON_NONE)
		(void)fprintf(out, " %s", lk_reason_name((enum lk_reason)e->reason));
	if (e->op == HISTORY_GET && e->verdict == LK_VALID) {
		(void)fprintf(out, " n=%u marks", e->n);
		for (size_t i = 0; i < HISTORY_MARKS; i++)
			(void)fprintf(out, " %u", e->marks[i]);
	}
	if (e->successor != HISTORY_NO_TOKEN)
		(void)fprintf(out, " token %u", e->successor);
	if (e->version != 0)
		(void)fprintf(out, " version %llu", (unsigned long long)e->version);
}

void history_print_entry(FILE *out, const struct history *h, const struct history_entry *e, uint64_t origin_us)
{
	(void)fprintf(out, "%10.3f +%.3f ms  %c  ", (double)(e->start_us - origin_us) / 1000.0,
		      (double)(e->end_us - e->start_us) / 1000.0,
		      e->instance == HISTORY_ANY_INSTANCE ? '*' : 'A' + e->instance);
	print_question(out, e);
	(void)fprintf(out, " -> ");
	print_answer(out, e);
	if (e->text > 0)
		(void)fprintf(out, ": %s", h->texts[e->text - 1]);
	(void)fputc('\n', out);
}

void history_free(struct history *h)
{
	free(h->entries);
	free(h->sessions);
	*h = (struct history){0};
}
