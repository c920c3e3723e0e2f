#include "bench/frames.h"

#include <stdlib.h>
#include <string.h>

#include "bench/stage.h"
#include "support/raw.h"

#define CALLS_MAX 64

void frames_make(struct frames *f, const struct crowd *crowd, unsigned count, unsigned calls)
{
	*f = (struct frames){.of = calloc(count, sizeof(*f->of)), .count = count, .calls = calls};
	if (f->of == NULL || calls > CALLS_MAX)
		bench_die("out of memory", NULL);
	for (unsigned i = 0; i < count; i++) {
		Latchkey__V1__GetSessionRequest gets[CALLS_MAX];
		struct raw_call list[CALLS_MAX];

		for (unsigned j = 0; j < calls; j++) {
			latchkey__v1__get_session_request__init(&gets[j]);
			gets[j].has_token = true;
			gets[j].token = raw_text(crowd->tokens[(i * calls + j) % crowd->count]);
			list[j] = (struct raw_call){
			    .method = "/latchkey.v1.Sessions/Get", .request = &gets[j].base, .timeout_ms = 10000};
		}
		f->of[i].bytes = raw_pack_calls(1, list, calls, &f->of[i].len);
	}
}

void frames_drop(struct frames *f)
{
	for (unsigned i = 0; i < f->count; i++)
		free(f->of[i].bytes);
	free(f->of);
	*f = (struct frames){0};
}

bool frames_are_valid(const uint8_t *body, size_t len, unsigned calls)
{
	Latchkey__V1__ReplyFrame *frame = latchkey__v1__reply_frame__unpack(NULL, len, body);
	bool are_valid = frame != NULL && frame->n_replies == calls;

	/* What is not VALID has no attributes. */
	for (size_t i = 0; are_valid && i < calls; i++)
		are_valid =
		    frame->replies[i]->code == LATCHKEY__V1__CODE__OK && frame->replies[i]->body.len > ATTRIBUTE_BYTES;
	raw_free(frame);
	return are_valid;
}

uint16_t frames_port(const char *url)
{
	return (uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10);
}
