/* The fake node of the kafka room's tests: it speaks the codec's own tables, so it knows whatever
 * kplay does. */
#include "../kafka/with_fake_broker.c"
