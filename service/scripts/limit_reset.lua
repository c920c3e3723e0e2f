#!lua flags=allow-oom
-- Forgets what was taken from a limit; also brings that about again after another primary took over.
-- KEYS    1 limit
-- Returns 'done'; 'there': nothing had been taken
-- Cost    O(1): large ones are freed in the background
-- Again   A second run finds nothing, unless something was taken since: it is given back, which refuses nobody.
return redis.call('UNLINK', KEYS[1]) == 1 and 'done' or 'there'
