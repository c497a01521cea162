-- says table function table
say(tostring({}) .. " " .. tostring(say) .. " " .. ("%s"):format({}))
