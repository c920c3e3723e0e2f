# Instructions and system calls a Get, from two callgrind profiles of the same program that differ in how many Gets it
# did: of everything the difference, so that start and end do not count.
#
#   awk -f instructions.awk -v gets=N -v root=SOURCES -v side=service STAGES FEWER MORE
#
# Prints "total", "module", "stage" and "function" lines, tab-separated: kind, name, instructions, system calls.
#
# A stage begins at the functions that the file of stages names, and goes on in all they call, but for where another
# begins. A function that several stages call belongs to each by what its calls cost there, so the stages add up to the
# total: exactly for what calls nothing further, such as memcpy, and by that share for the rest.

BEGIN { FS = "\t" }

# ---- The file of stages: side, stage, patterns. A "*" at the end stands for anything. ----

FILENAME == ARGV[1] {
	if ($0 ~ /^#/ || NF < 3 || $1 != side)
		next
	if (!($2 in stage_at)) {
		stage_at[$2] = ++stages
		stage_name[stages] = $2
	}
	count = split($3, words, " ")
	for (i = 1; i <= count; i++) {
		patterns++
		pattern[patterns] = words[i]
		pattern_stage[patterns] = stage_at[$2]
	}
	next
}

# ---- The profiles (the format is in Valgrind's manual, "Callgrind Format Specification") ----

FNR == 1 {
	sign = FILENAME == ARGV[2] ? -1 : 1
	split("", names)
	is_call = 0
}

# "(12) text" names number 12, "(12)" means it. Objects, files and functions are numbered apart.
function name_of(space, text,   id) {
	id = text
	sub(/\).*/, ")", id)
	if (length(text) > length(id))
		names[space id] = substr(text, length(id) + 2)
	return names[space id]
}

# Where a function belongs: the folder of ours, else the library.
function place_of(object, file) {
	sub(/.*\//, "", object)
	if (object ~ /^(latchkeyd|liblatchkey\.so.*)$/) {
		if (file ~ /\.pb-c\.c$/)
			return "generated messages"
		return index(file, root "/") == 1 ? substr(file, length(root) + 2) : "system headers"
	}
	sub(/\.so.*/, "", object)
	sub(/-[0-9.]+$/, "", object)
	return object ~ /^(libc|libm|libpthread|ld-linux.*|vgpreload.*|\?\?\?|)$/ ? "libc" : object
}

/^ob=/ { object = name_of("o", substr($0, 4)); next }
/^fl=/ { file = name_of("f", substr($0, 4)); next }
/^(fi|fe|cfi|cfl)=/ { sub(/^[a-z]*=/, ""); name_of("f", $0); next }
/^cob=/ { name_of("o", substr($0, 5)); next }
/^fn=/ {
	text = name_of("n", substr($0, 4))
	id = substr($0, 4)
	sub(/\).*/, ")", id)
	key[id] = place_of(object, file) ":" text
	node = key[id]
	next
}
/^cfn=/ {
	name_of("n", substr($0, 5))
	callee = substr($0, 5)
	sub(/\).*/, ")", callee)
	next
}
/^calls=/ { is_call = 1; next }
/^events: / {
	split($0, words, " ")
	if (words[2] != "Ir" || words[3] != "sysCount") {
		print "instructions: the profile has other events: " $0 > "/dev/stderr"
		exit 1
	}
	next
}
/^[0-9+*-]/ {
	count = split($0, words, " ")
	if (!is_call && node ~ /^latchkey-gets:/)
		next
	if (is_call) {
		# The callee's own lines, and so its place, may come later in the file.
		edges++
		edge_from[edges] = node
		edge_id[edges] = callee
		edge_cost[edges] = sign * words[2]
		is_call = 0
		next
	}
	self[node] += sign * words[2]
	if (count > 2 && !is_unreal(node))
		calls[node] += sign * words[3]
	next
}
/^totals: / { finish_profile(); next }

# The numbers of functions mean something in this profile only.
function finish_profile(   i, pair) {
	for (i = edges_done + 1; i <= edges; i++)
		if (edge_id[i] in key) {
			pair = edge_from[i] SUBSEP key[edge_id[i]]
			weight[pair] += edge_cost[i]
		}
	edges_done = edges
	split("", key)
}

# Outside of valgrind the clock is read without the kernel, and locks are rarely fought for: valgrind lets one thread run
# at a time, and takes it off the processor anywhere.
function is_unreal(node) {
	return node ~ /^libc:(clock_gettime|__lll_lock_)/
}

# ---- Modules ----

function module_of(node,   place) {
	place = node
	sub(/:.*/, "", place)
	if (place ~ /^proto\/wire\//) return "wire"
	if (place ~ /^proto\/codec\//) return "codec"
	if (place ~ /^service\/[a-z]*\//) { sub(/^service\//, "", place); sub(/\/.*/, "", place); return place }
	if (place ~ /^service\//) return "main"
	if (place ~ /^client\//) return "client"
	return place
}

# ---- Stages ----

function plain(node) {
	sub(/'[0-9]+$/, "", node)
	sub(/\.(isra|constprop|part|cold).*$/, "", node)
	return node
}

function stage_of(node,   i, p, best, length_best) {
	node = plain(node)
	length_best = 0
	for (i = 1; i <= patterns; i++) {
		p = pattern[i]
		if (p == node)
			is_met[i] = 1
		if (p == node || (p ~ /\*$/ && index(node, substr(p, 1, length(p) - 1)) == 1)) {
			if (p ~ /\*$/)
				is_met[i] = 1
			if (length(p) > length_best) {
				best = pattern_stage[i]
				length_best = length(p)
			}
		}
	}
	return best
}

# One round: everybody's shares from those of his callers. Returns what they changed by.
function spread(   pair, ends, n, s, sum, moved, now) {
	split("", sum)
	for (pair in weight) {
		split(pair, ends, SUBSEP)
		if ((ends[2] in fixed) || weight[pair] <= 0)
			continue
		for (s = 1; s <= stages; s++)
			if ((ends[1], s) in share)
				sum[ends[2], s] += weight[pair] * share[ends[1], s] / called[ends[2]]
	}
	moved = 0
	for (n in called)
		if (!(n in fixed))
			for (s = 1; s <= stages; s++) {
				now = sum[n, s] + 0
				moved += now > share[n, s] ? now - share[n, s] : share[n, s] - now
				share[n, s] = now
			}
	return moved
}

function fix_stages(   n, s) {
	for (n in self) {
		s = stage_of(n)
		# What nobody calls is the start of a thread.
		if (!s && !(n in called))
			s = 1
		if (s) {
			fixed[n] = 1
			share[n, s] = 1
		}
	}
}

function print_stages(   n, s, sum, sum_calls, i, rest, rest_calls, left) {
	for (n in self) {
		rest = self[n]
		rest_calls = calls[n]
		for (s = 1; s <= stages; s++) {
			sum[s] += self[n] * share[n, s]
			sum_calls[s] += calls[n] * share[n, s]
			rest -= self[n] * share[n, s]
			rest_calls -= calls[n] * share[n, s]
		}
		sum[1] += rest
		sum_calls[1] += rest_calls
	}
	for (s = 1; s <= stages; s++)
		printf "stage\t%s\t%.1f\t%.2f\n", stage_name[s], sum[s] / gets, sum_calls[s] / gets
	for (i = 1; i <= patterns; i++)
		if (!is_met[i])
			printf "instructions: %s, which begins the stage \"%s\", is not in the profile: inlined or renamed?\n", \
				pattern[i], stage_name[pattern_stage[i]] > "/dev/stderr"
}

END {
	if (gets <= 0)
		exit 1
	for (pair in weight)
		if (weight[pair] > 0) {
			split(pair, ends, SUBSEP)
			called[ends[2]] += weight[pair]
		}
	fix_stages()
	for (round = 0; round < 100 && spread() > 0.0001; round++)
		;
	for (n in self) {
		total += self[n]
		total_calls += calls[n]
		module[module_of(n)] += self[n]
		module_calls[module_of(n)] += calls[n]
	}
	printf "total\tin all\t%.1f\t%.2f\n", total / gets, total_calls / gets
	for (m in module)
		if (module[m] != 0)
			printf "module\t%s\t%.1f\t%.2f\n", m, module[m] / gets, module_calls[m] / gets
	print_stages()
	for (n in self)
		if (self[n] > 0)
			printf "function\t%s\t%.1f\t%.2f\n", n, self[n] / gets, calls[n] / gets
}
