-- floats as texts, nan and inf
say(("%s %s %s %s %s"):format(1e15, 2^63, 0.1, -0.0, 1e100))
say(("%.3f %g %e"):format(1 / 3, 1e-5, 12345.678))
say(tostring(0 / 0) .. tostring(-(0 / 0)) .. tostring(1 / 0) .. ("%f"):format(0 / 0))
