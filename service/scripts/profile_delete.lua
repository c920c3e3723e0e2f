#!lua flags=allow-oom
-- Deletes a profile, also when Redis is full: what is left of it for some minutes is less than it was.
-- KEYS, ARGV, Returns, Cost and Again as profile_change has them
-- include change_profile
