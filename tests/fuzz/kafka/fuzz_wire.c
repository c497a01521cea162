/* fuzz_wire: hostile bytes against the wire decoder, at any API and version.
 *
 * Byte 0 chooses the API, byte 1 the version, byte 2 what is read: a request, a response, or a
 * whole answer with its header.  Whatever is accepted must survive: writing it again must succeed,
 * reading that must succeed, and writing it once more, from a copy, must give the same bytes.
 */
#include "kafka/codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *read_message(kp_arena *a, const kp_schema *s, int version, bool flexible,
                          const void *p, size_t n)
{
    void *message = NULL;
    size_t left;
    kp_err *e = kp_wire_decode(a, s, version, flexible, p, n, &message, &left);
    if (!e && left > n)
        abort();
    kp_err_drop(e);
    return message;
}

static void write_message(kp_buf *out, const kp_schema *s, int version, bool flexible,
                          const void *message)
{
    kp_err *e = kp_wire_encode(out, s, version, flexible, message);
    if (e)
        abort();
}

static void fixpoint(kp_arena *a, const kp_schema *s, int version, bool flexible, const uint8_t *p,
                     size_t n)
{
    const void *first = read_message(a, s, version, flexible, p, n);
    if (!first)
        return;
    KP_AUTO_BUF once = KP_BUF_INIT(KP_FRAME_LIMIT), twice = KP_BUF_INIT(KP_FRAME_LIMIT);
    write_message(&once, s, version, flexible, first);
    const void *second = read_message(a, s, version, flexible, kp_buf_text(&once), once.n);
    if (!second)
        abort();
    write_message(&twice, s, version, flexible, kp_wire_copy(a, s, second));
    if (once.n != twice.n || memcmp(kp_buf_text(&once), kp_buf_text(&twice), once.n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    const kp_api *api = &kp_apis[data[0] % kp_apis_n];
    int version = api->min + data[1] % (api->max - api->min + 1);
    const uint8_t *p = data + 3;
    size_t n = size - 3;
    kp_arena *a = kp_arena_new("fuzz", 256 << 20);
    if (data[2] % 3 == 2) {
        int32_t correlation = 0;
        const void *response;
        kp_frame_correlation(p, n, &correlation);
        kp_err_drop(kp_frame_response(a, api, version, correlation, p, n, &response));
    } else {
        fixpoint(a, data[2] % 3 ? api->response : api->request, version, version >= api->flexible,
                 p, n);
    }
    kp_arena_free(a);
    return 0;
}
