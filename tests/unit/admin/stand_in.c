#include "stand_in.h"

const struct stand_in stand_in_well = {
    .view = {.is_listening = true,
	     .has_been_ready = true,
	     .knows_realms = true,
	     .key_count = 1,
	     .keys = {{.id = 1, .is_first = true}},
	     .store = {.is_ready = true, .mode = "standalone", .version = "7.0.15"}},
    .node_count = 1,
    .nodes = {{.address = "127.0.0.1:6379", .role = "primary", .state = "serving", .breaker = "closed"}},
    .realms = {"default"},
    .methods = {"none", "/test.v1.Test/Get"},
};

static const struct stand_in *source;

static void look(void *owner, struct admin_view *ret)
{
	const struct stand_in *s = owner;

	*ret = s->view;
}

static size_t nodes(void *owner, struct store_node *ret, size_t max)
{
	const struct stand_in *s = owner;

	for (size_t i = 0; i < s->node_count && i < max; i++)
		ret[i] = s->nodes[i];
	return s->node_count;
}

static span realm(void *owner, size_t i)
{
	const struct stand_in *s = owner;

	return i < 4 && s->realms[i] != NULL ? span_str(s->realms[i]) : SPAN_EMPTY;
}

/* Methods are the program's, whichever the owner. */
static span method(size_t place)
{
	return place < 4 && source->methods[place] != NULL ? span_str(source->methods[place]) : SPAN_EMPTY;
}

struct admin_source stand_in_source(struct stand_in *s)
{
	source = s;
	return (struct admin_source){.owner = s, .look = look, .nodes = nodes, .realm = realm, .method = method};
}
