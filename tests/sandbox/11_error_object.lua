-- error the playbook raised a table value
error({ what = function() while true do end end })
