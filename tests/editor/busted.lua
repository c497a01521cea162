---@meta
-- What the specs here use of busted and luassert, for the editor's checker.

---@param name string
---@param block fun()
function describe(name, block) end
---@param name string
---@param block fun()
function it(name, block) end
---@param block fun()
function before_each(block) end

---@class luassert
---@field equal fun(expected: any, actual: any, ...)
---@field same fun(expected: any, actual: any, ...)
---@field truthy fun(value: any, ...)
---@field falsy fun(value: any, ...)
---@field is_truthy fun(value: any, ...)
---@field is_nil fun(value: any, ...)
---@field has_error fun(block: fun(), expected?: any)
---@field are luassert
---@overload fun<T>(value: T?, ...): T
assert = {}
