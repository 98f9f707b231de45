-- 450-byte heads, as a browser sends them; path and cookie differ in each request, so that no cache of heads can win.
local n = 0
local fixed = {
  ["Host"] = "shop.example.test",
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  ["Accept-Language"] = "en-US,en;q=0.5",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Referer"] = "http://shop.example.test/catalogue",
}
request = function()
  n = n + 1
  fixed["Cookie"] = string.format("session=%032d; seen=%08d", n * 2654435761 % 1000000007, n)
  return wrk.format("GET", string.format("/catalogue/items/%08d?page=%d", n % 99999989, n % 97), fixed)
end
