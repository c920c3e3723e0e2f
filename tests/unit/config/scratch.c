#include "scratch.h"

#include <stdlib.h>
#include <unistd.h>

static char home[] = "HOME=/home/u";
char *plain_environment[] = {home, NULL};

void scratch_make(struct scratch *s)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(s->folder, sizeof(s->folder), "%.40s/lk-config-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->file, sizeof(s->file), "%s/latchkeyd.yaml", s->folder);
}

void scratch_remove(struct scratch *s)
{
	(void)unlink(s->file);
	assert_int_equal(rmdir(s->folder), 0);
}

void scratch_write(const struct scratch *s, const void *text, size_t len)
{
	FILE *f = fopen(s->file, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

struct config *load_ok(const char *yaml, char *const *environment)
{
	struct config *c = NULL;
	struct config_error error;
	struct scratch s;
	bool ok;

	scratch_make(&s);
	if (yaml != NULL)
		scratch_write(&s, yaml, strlen(yaml));
	ok = config_load(yaml == NULL ? NULL : s.file, environment, &c, &error);
	scratch_remove(&s);
	if (!ok)
		fail_msg("refused: %s\n%s", error.text, yaml == NULL ? "(no file)" : yaml);
	return c;
}

char *printed(const struct config *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_true(config_print(c, f));
	assert_int_equal(fclose(f), 0);
	return text;
}
