/* The verbs of the server: info, health, stats. */

#include <stdio.h>

#include "report.h"
#include "text.h"
#include "verbs.h"

static json_t *json_of_info(const lk_info *info)
{
	json_t *realms = json_array();

	for (size_t i = 0; i < lk_info_realm_count(info); i++)
		(void)json_array_append_new(realms, json_string(lk_info_realm(info, i)));
	return json_pack("{s:s, s:I, s:s, s:o, s:s, s:b, s:s, s:b, s:o}", "version", lk_info_version(info), "protocol",
			 (json_int_t)lk_info_protocol(info), "instance", lk_info_instance(info), "started_at",
			 json_of_time(lk_info_started_at_ms(info)), "store_mode", lk_info_store_mode(info),
			 "store_ready", lk_info_store_ready(info), "store_version", lk_info_store_version(info),
			 "draining", lk_info_draining(info), "realms", realms);
}

static void print_info(const lk_info *info)
{
	char started[TIME_TEXT_BYTES];

	(void)printf("version        %s\nprotocol       %u\ninstance       %s\nstarted        %s\n",
		     lk_info_version(info), lk_info_protocol(info), lk_info_instance(info),
		     text_of_time(lk_info_started_at_ms(info), started));
	(void)printf("store          %s, %s\nstore version  %s\ndraining       %s\nrealms        ",
		     lk_info_store_mode(info), lk_info_store_ready(info) ? "ready" : "not ready",
		     lk_info_store_version(info), lk_info_draining(info) ? "yes" : "no");
	for (size_t i = 0; i < lk_info_realm_count(info); i++)
		(void)printf(" %s", lk_info_realm(info, i));
	(void)putchar('\n');
}

int verb_info(const struct line *line, lk_client *client)
{
	struct lk_error error = LK_ERROR_INIT;
	bool written = true;
	lk_info *info;

	if (lk_server_info(client, NULL, &info, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		written = json_print(json_of_info(info));
	else
		print_info(info);
	lk_info_free(&info);
	return say_done(written);
}

int verb_health(const struct line *line, lk_client *client)
{
	struct lk_error error = LK_ERROR_INIT;
	enum lk_serving serving;
	bool written;
	int status;

	if (lk_health(client, NULL, &serving, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		written = json_print(json_pack("{s:s}", "status", lk_serving_name(serving)));
	else
		written = puts(lk_serving_name(serving)) != EOF;
	status = say_done(written);
	return serving == LK_SERVING ? status : EXIT_UNKNOWN;
}

static json_t *json_of_stats(const lk_stats *stats)
{
	json_t *json = json_object();

	for (size_t i = 0; i < lk_stats_count(stats); i++)
		(void)json_object_set_new(json, lk_stats_name(stats, i),
					  json_integer((json_int_t)lk_stats_value(stats, i)));
	return json;
}

int verb_stats(const struct line *line, lk_client *client)
{
	struct lk_error error = LK_ERROR_INIT;
	bool written = true;
	lk_stats *stats;

	if (lk_server_stats(client, NULL, &stats, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		written = json_print(json_of_stats(stats));
	for (size_t i = 0; !line->json && i < lk_stats_count(stats); i++)
		(void)printf("%-40s %12llu  %s\n", lk_stats_name(stats, i),
			     (unsigned long long)lk_stats_value(stats, i), lk_stats_help(stats, i));
	lk_stats_free(&stats);
	return say_done(written);
}
