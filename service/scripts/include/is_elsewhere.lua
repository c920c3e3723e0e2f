-- While a cluster moves a slot, a key that is not one of KEYS and not here any more cannot be touched. In the words of
-- Redis up to 7, and since 8.
local function is_elsewhere(err)
	return err:find('non local', 1, true) or err:find('undeclared keys were accessed', 1, true)
end
