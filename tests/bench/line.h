#ifndef LK_BENCH_LINE_H
#define LK_BENCH_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* A figure that is measured, and what it should be. */

struct bench;

enum goal {
	GOAL_NONE,   /* for reference */
	RATIO_OVER,  /* ours / baseline is at least ... */
	RATIO_UNDER, /* at most ... */
	VALUE_OVER,  /* ours is at least ..., whatever the baseline */
	VALUE_UNDER,
};

struct line {
	const char *name;
	const char *unit;
	const char *ours;     /* what is measured, */
	const char *baseline; /* and beside what; NULL: nothing */
	enum goal goal;
	double at_least; /* the ratio or value that must be reached, */
	double aim;	 /* and the one that is wanted; 0: none */
	double or_ours;	 /* a figure of ours that will do whatever the ratio; 0: none */
	/* Measures and reports it, and all lines of the same function in turn. */
	void (*run)(struct bench *b);
	bool is_unwanted;
};

/* In the order in which they are run and shown. */
extern struct line lines[];
extern const size_t line_count;

/* NULL: there is no such line. */
struct line *line_find(const char *name);

#endif
