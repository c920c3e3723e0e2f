#include "config/keys.h"

static bool text_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool key_eq(const struct config_key *key, const void *a, const void *b)
{
	if (key->type == KEY_TEXT)
		return text_eq(key_text(key, a), key_text(key, b));
	return key_number(key, a) == key_number(key, b);
}

static bool keys_eq(const struct config_key *keys, size_t count, const void *a, const void *b)
{
	for (size_t i = 0; i < count; i++)
		if (!key_eq(&keys[i], a, b))
			return false;
	return true;
}

static bool listeners_eq(const struct config *a, const struct config *b)
{
	if (a->listener_count != b->listener_count)
		return false;
	for (size_t i = 0; i < a->listener_count; i++)
		if (!keys_eq(listener_keys, LISTENER_KEYS, &a->listeners[i], &b->listeners[i]))
			return false;
	return true;
}

static bool realm_eq(const struct config_realm *a, const struct config_realm *b)
{
	if (a->class_count != b->class_count || strcmp(a->name, b->name) != 0 || !keys_eq(realm_keys, REALM_KEYS, a, b))
		return false;
	if (a->profiles.tier_count != b->profiles.tier_count)
		return false;
	for (size_t i = 0; i < a->profiles.tier_count; i++)
		if (!keys_eq(tier_keys, TIER_KEYS, &a->profiles.tiers[i], &b->profiles.tiers[i]))
			return false;
	for (size_t i = 0; i < a->class_count; i++)
		if (!keys_eq(class_keys, CLASS_KEYS, &a->classes[i], &b->classes[i]))
			return false;
	return true;
}

static bool realms_eq(const struct config *a, const struct config *b)
{
	if (a->realm_count != b->realm_count)
		return false;
	for (size_t i = 0; i < a->realm_count; i++)
		if (!realm_eq(&a->realms[i], &b->realms[i]))
			return false;
	return true;
}

void config_compare(const struct config *a, const struct config *b,
		    void (*report)(void *owner, const char *path, bool is_reloadable), void *owner)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (!key_eq(&config_keys[i], a, b))
			report(owner, config_keys[i].path, (config_keys[i].flags & KEY_RELOADABLE) != 0);
	if (!listeners_eq(a, b))
		report(owner, "listen", false);
	if (!realms_eq(a, b))
		report(owner, "realms", false);
}
