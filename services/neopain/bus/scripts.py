"""The Lua scripts: where two writes must be one, or a reply must stay small."""

PUBLISH_ONCE = """
-- Of each publication: KEYS mark, stream; ARGV payload, mark's life in ms, bed or ''. The last of KEYS: beds.
-- Returns of each the entry's id and whether it is new, or its error and 0: one refused does not refuse the others.
local function once(mark, stream, payload, life, bed)
  local id = redis.pcall('GET', mark)
  if id then return id, 0 end
  id = redis.pcall('XADD', stream, '*', 'p', payload)
  if type(id) == 'table' then return id, 0 end
  redis.call('SET', mark, id, 'PX', life)
  if bed ~= '' then redis.call('ZADD', KEYS[#KEYS], string.match(id, '^%d+'), bed) end
  return id, 1
end
local answers = {}
for i = 1, #KEYS - 1, 2 do
  local at = (i - 1) / 2 * 3
  answers[i], answers[i + 1] = once(KEYS[i], KEYS[i + 1], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return answers
"""

KEPT, ADDED, GAP = 0, 1, 2
"""What ``PUBLISH_IN_ORDER`` says of a message: it was there before, is there now, or numbers before it are missing."""

PUBLISH_IN_ORDER = """
-- Of each message: KEYS position, stream; ARGV payload, number, floor, the position's life in ms, bed or ''. The
-- last of KEYS: beds. Returns of each 0 kept before, 1 added or 2 a gap, and the position; or its error and 0.
local function place(position, stream, payload, number, floor, life, bed)
  local kept = tonumber(redis.call('GET', position) or '-1')
  if tonumber(number) <= kept then return 0, kept end
  if kept >= 0 and kept < tonumber(floor) then return 2, kept end
  local id = redis.pcall('XADD', stream, '*', 'p', payload)
  if type(id) == 'table' then return id, 0 end
  redis.call('SET', position, number, 'PX', life)
  if bed ~= '' then redis.call('ZADD', KEYS[#KEYS], string.match(id, '^%d+'), bed) end
  return 1, tonumber(number)
end
local answers = {}
for i = 1, #KEYS - 1, 2 do
  local at = (i - 1) / 2 * 5
  answers[i], answers[i + 1] = place(
    KEYS[i], KEYS[i + 1], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5])
end
return answers
"""

PUBLISH_MEDIA_IN_ORDER = """
-- KEYS: position, beds, then a stream for each entry. ARGV: bed, number, position's life in ms, then of each entry its
-- payload, the id below which entries are old, and the most entries or ''. Returns 1, 0 when that number was there.
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if kept and tonumber(ARGV[2]) <= tonumber(kept) then return 0 end
for i = 3, #KEYS do
  local at = 3 * (i - 3) + 4
  local id = redis.call('XADD', KEYS[i], 'MINID', '~', ARGV[at + 1], '*', 'p', ARGV[at])
  if ARGV[at + 2] ~= '' then redis.call('XTRIM', KEYS[i], 'MAXLEN', '~', ARGV[at + 2]) end
  redis.call('PEXPIRE', KEYS[i], 120000)
  redis.call('ZADD', KEYS[2], string.match(id, '^%d+'), ARGV[1])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

LAST_IDS = """
-- KEYS: streams. Returns each stream's last id ever given, '' for one that does not exist.
local ids = {}
for i, key in ipairs(KEYS) do
  ids[i] = ''
  if redis.call('EXISTS', key) == 1 then
    local info = redis.call('XINFO', 'STREAM', key)
    for j = 1, #info, 2 do
      if info[j] == 'last-generated-id' then ids[i] = info[j + 1] end
    end
  end
end
return ids
"""

TRIM = """
-- KEYS: stream. ARGV: the id below which entries are old, then the groups that must have acknowledged.
-- Removes entries below both that id and every group's oldest unacknowledged one. Returns how many went.
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-?(%d*)$')
  return tonumber(ms), tonumber(seq) or 0
end
local function least(a, b)
  local ams, aseq = parts(a)
  local bms, bseq = parts(b)
  if ams < bms or (ams == bms and aseq < bseq) then return a end
  return b
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local limit = ARGV[1]
local needed = {}
for i = 2, #ARGV do needed[ARGV[i]] = true end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local fields = {}
  for j = 1, #group, 2 do fields[group[j]] = group[j + 1] end
  needed[fields['name']] = nil
  if fields['pending'] > 0 then
    limit = least(limit, redis.call('XPENDING', KEYS[1], fields['name'])[2])
  else
    limit = least(limit, fields['last-delivered-id'])
  end
end
if next(needed) then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', limit)
"""

CENSUS_WRITE = """
-- KEYS: mark, census stream, beds hash, version. ARGV: expected version, mark's life in ms, then bed, state, ...
-- Writes all facts or none. Returns 1 done, 0 already done (the mark is there), -1 somebody wrote in between.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local version = redis.call('GET', KEYS[4]) or '0'
if version ~= ARGV[1] then return -1 end
for i = 3, #ARGV, 2 do
  redis.call('XADD', KEYS[2], '*', 'p', ARGV[i + 1])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
end
redis.call('INCR', KEYS[4])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
return 1
"""

DRUG_WRITE = """
-- KEYS: mark, drugs stream, then the hash of each number. ARGV: mark's life in ms, the hashes' life in ms, fact's id,
-- payload, '1' if it is kept in the hashes, then ids of facts that are over. Returns 1, 0 when the mark was there.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('XADD', KEYS[2], '*', 'p', ARGV[4])
for i = 3, #KEYS do
  if ARGV[5] == '1' then
    redis.call('HSET', KEYS[i], ARGV[3], ARGV[4])
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
  for j = 6, #ARGV do redis.call('HDEL', KEYS[i], ARGV[j]) end
end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
"""

WAVEFORM_WRITE = """
-- KEYS: mark, track (a hash), vitals stream, beds. ARGV: mark's life in ms, track's life in ms, expected version,
-- track, bed, batch or ''. Returns 1 done, 0 already done (the mark is there), -1 somebody wrote in between; then the
-- id of the batch's entry, '' without one. The mark keeps that id.
if redis.call('EXISTS', KEYS[1]) == 1 then return {0, ''} end
local version = redis.call('HGET', KEYS[2], 'version') or '0'
if version ~= ARGV[3] then return {-1, ''} end
local id = ''
if ARGV[6] ~= '' then
  id = redis.call('XADD', KEYS[3], '*', 'p', ARGV[6])
  redis.call('ZADD', KEYS[4], string.match(id, '^%d+'), ARGV[5])
end
redis.call('HSET', KEYS[2], 'version', string.format('%d', tonumber(version) + 1), 'track', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('SET', KEYS[1], id, 'PX', ARGV[1])
return {1, id}
"""

UNKNOWN_CODES_ADD = """
-- KEYS: counts (a hash), when last seen (a sorted set). ARGV: the most codes, then of each code: key, count, ms.
local most = tonumber(ARGV[1])
for i = 2, #ARGV, 3 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 and redis.call('HLEN', KEYS[1]) >= most then
    local gone = redis.call('ZPOPMIN', KEYS[2])
    if gone[1] then redis.call('HDEL', KEYS[1], gone[1]) end
  end
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[2], ARGV[i + 2], ARGV[i])
end
return #ARGV
"""
