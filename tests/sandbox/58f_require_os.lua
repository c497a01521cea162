-- error there is no module "os"
require("os").exit()
