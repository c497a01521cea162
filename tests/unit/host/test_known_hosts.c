/* The known_hosts matcher: each row is a file, a host and port, and what must be said of one of
 * three keys.  The hashed lines are ssh-keygen's own. */
#include "with_host.h"

#include "host/known_hosts.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define ED "AAAAC3NzaC1lZDI1NTE5AAAAIKz1fLRkiTfMWP+bAtuTzpuVJRL8GPGwSLF5IsMM0rK1"
#define ED2 "AAAAC3NzaC1lZDI1NTE5AAAAIFybk3eR9Coti6pFeWW3mFdBzyORYVawxfmR4F9cSnW7"
#define EC                                                                                       \
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDXNALjwNlf70HB4k8eTKV4fwwhKVKsIxm0rvG" \
    "43BqrvJvy9ZOhwyPnpOsAlaE5DQn7U0e24inoJhohLg7XC9rY="
#define RSA "AAAAB3NzaC1yc2EAAAADAQABAAAAAQM="
#define HASHED "|1|tDP+/noZqEXFgTVjDF6vvDH9DrM=|lWaEvTffp73xa11F1G8MP8hKifA="
#define HASHED_2222 "|1|dBzNMABn842/JL/LQPhBX83DVb4=|KFDlEuvyBkyJpvg8m5Un9HOjXPU="
#define B1 "broker1.example.com"

static const uint8_t *blob(kp_arena *a, const char *base64, size_t *ret_n)
{
    size_t n = strlen(base64);
    uint8_t *out = kp_alloc(a, n + 4);
    int len = EVP_DecodeBlock(out, (const unsigned char *)base64, (int)n);
    assert_true(len > 0);
    while (n > 0 && base64[n - 1] == '=') {
        n--;
        len--;
    }
    *ret_n = (size_t)len;
    return out;
}

typedef struct row {
    const char *what, *text, *host;
    int port;
    const char *key;
    kp_known verdict;
    const char *types; /* NULL: none */
} row;

static const row rows[] = {
    { "plain", B1 " ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "plain, comment", B1 " ssh-ed25519 " ED " ops@bastion\n", B1, 22, ED, KP_KNOWN,
      "ssh-ed25519" },
    { "no newline at the end", B1 " ssh-ed25519 " ED, B1, 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "CRLF and tabs", B1 "\tssh-ed25519\t" ED "\r\n", B1, 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "case of names", "Broker1.Example.COM ssh-ed25519 " ED "\n", "BROKER1.example.com", 22, ED,
      KP_KNOWN, "ssh-ed25519" },
    { "changed", B1 " ssh-ed25519 " ED "\n", B1, 22, ED2, KP_KNOWN_OTHER, "ssh-ed25519" },
    { "another host", "broker2 ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "a name that begins alike", "broker ssh-ed25519 " ED "\n", "broker1", 22, ED, KP_KNOWN_NOT,
      NULL },
    { "empty file", "", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "hashed", HASHED " ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "hashed, changed", HASHED " ssh-ed25519 " ED "\n", B1, 22, ED2, KP_KNOWN_OTHER,
      "ssh-ed25519" },
    { "hashed, another host", HASHED " ssh-ed25519 " ED "\n", "broker2", 22, ED, KP_KNOWN_NOT,
      NULL },
    { "hashed with port", HASHED_2222 " ssh-ed25519 " ED "\n", B1, 2222, ED, KP_KNOWN,
      "ssh-ed25519" },
    { "hashed with port, not for 22", HASHED_2222 " ssh-ed25519 " ED "\n", B1, 22, ED,
      KP_KNOWN_NOT, NULL },
    { "broken hash", "|1|tDP+|x ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "hash without end", "|1|tDP+ ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "port", "[" B1 "]:2222 ssh-ed25519 " ED "\n", B1, 2222, ED, KP_KNOWN, "ssh-ed25519" },
    { "another port", "[" B1 "]:2223 ssh-ed25519 " ED "\n", B1, 2222, ED, KP_KNOWN_NOT, NULL },
    { "bare name vouches for a port", B1 " ssh-ed25519 " ED "\n", B1, 2222, ED, KP_KNOWN,
      "ssh-ed25519" },
    { "bare name is not held against a port", B1 " ssh-ed25519 " ED2 "\n", B1, 2222, ED,
      KP_KNOWN_NOT, "ssh-ed25519" },
    { "comma list", "a,b," B1 ",10.0.0.1 ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN,
      "ssh-ed25519" },
    { "comma list, address", "a,b," B1 ",10.0.0.1 ssh-ed25519 " ED "\n", "10.0.0.1", 22, ED,
      KP_KNOWN, "ssh-ed25519" },
    { "wildcard", "127.0.0.* ssh-ed25519 " ED "\n", "127.0.0.3", 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "wildcard with port", "[127.0.0.*]:2222 ssh-ed25519 " ED "\n", "127.0.0.3", 2222, ED,
      KP_KNOWN, "ssh-ed25519" },
    { "question mark", "broker? ssh-ed25519 " ED "\n", "broker7", 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "question mark is one byte", "broker? ssh-ed25519 " ED "\n", "broker17", 22, ED,
      KP_KNOWN_NOT, NULL },
    { "many stars", "*b*r*o*k*e*r*x ssh-ed25519 " ED "\n", "bbrrookkeerrbbrrookkeerr", 22, ED,
      KP_KNOWN_NOT, NULL },
    { "excluded", "*.example.com,!" B1 " ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "not excluded", "*.example.com,!x.example.com ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN,
      "ssh-ed25519" },
    { "only an exclusion", "!x ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "revoked", "@revoked * ssh-ed25519 " ED "\n" B1 " ssh-ed25519 " ED "\n", B1, 22, ED,
      KP_KNOWN_REVOKED, "ssh-ed25519" },
    { "revoked, line after", B1 " ssh-ed25519 " ED "\n@revoked * ssh-ed25519 " ED "\n", B1, 22, ED,
      KP_KNOWN_REVOKED, "ssh-ed25519" },
    { "another key revoked", "@revoked * ssh-ed25519 " ED2 "\n" B1 " ssh-ed25519 " ED "\n", B1, 22,
      ED, KP_KNOWN, "ssh-ed25519" },
    { "a revoked key alone is no entry", "@revoked " B1 " ssh-ed25519 " ED2 "\n", B1, 22, ED,
      KP_KNOWN_NOT, NULL },
    { "authority is no key", "@cert-authority * ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN_NOT,
      NULL },
    { "unknown marker", "@other " B1 " ssh-ed25519 " ED "\n", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "garbage before", "garbage\n\n# c\n" B1 " ssh-ed25519\n" B1 " ssh-ed25519 A\n" B1
                        " ssh-ed25519 " ED "\n",
      B1, 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "garbage only", "garbage\n" B1 "\n" B1 " ssh-ed25519 ====\n" B1 " ssh-ed25519 AAAA\n", B1, 22,
      ED, KP_KNOWN_NOT, NULL },
    { "type and key differ", B1 " ssh-rsa " ED "\n", B1, 22, ED, KP_KNOWN_NOT, NULL },
    { "several keys, second fits", B1 " ssh-ed25519 " ED2 "\n" B1 " ssh-ed25519 " ED "\n", B1, 22,
      ED, KP_KNOWN, "ssh-ed25519" },
    { "several types, best first",
      B1 " ssh-rsa " RSA "\n" B1 " ecdsa-sha2-nistp256 " EC "\n" B1 " ssh-ed25519 " ED "\n", B1, 22,
      EC, KP_KNOWN, "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,ssh-rsa" },
    { "only ecdsa is asked for", B1 " ecdsa-sha2-nistp256 " EC "\n", B1, 22, ED, KP_KNOWN_OTHER,
      "ecdsa-sha2-nistp256" },
    { "sk keys are nothing to ask for",
      B1 " sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAA\n", B1, 22, ED,
      KP_KNOWN_OTHER, NULL },
    { "IPv6", "::1 ssh-ed25519 " ED "\n", "::1", 22, ED, KP_KNOWN, "ssh-ed25519" },
    { "IPv6 with port", "[::1]:2222 ssh-ed25519 " ED "\n", "::1", 2222, ED, KP_KNOWN,
      "ssh-ed25519" },
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const row *r = &rows[i];
        KP_AUTO_ARENA a = kp_arena_new("row", 4 << 20);
        kp_known_keys known = { 0 };
        const kp_known_key *key = NULL;
        size_t n;
        const uint8_t *b = blob(a, r->key, &n);
        kp_known_hosts_read(a, "file", r->text, strlen(r->text), r->host, r->port, &known);
        kp_known verdict = kp_known_hosts_check(&known, b, n, &key);
        if (verdict != r->verdict)
            fail_msg("%s: %d, not %d", r->what, (int)verdict, (int)r->verdict);
        const char *types = kp_known_hosts_types(a, &known);
        if (!kp_streq(types, r->types))
            fail_msg("%s: types %s, not %s", r->what, types ? types : "none",
                     r->types ? r->types : "none");
        assert_int_equal(key != NULL, verdict != KP_KNOWN_NOT);
    }
}

static void test_place(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("places", 4 << 20);
    kp_known_keys known = { 0 };
    const kp_known_key *key = NULL;
    size_t n;
    const uint8_t *b = blob(a, ED2, &n);
    const char *first = "# one\nx ssh-ed25519 " ED "\n";
    const char *second = "# one\n# two\nx ssh-ed25519 " ED2 "\n";
    kp_known_hosts_read(a, "first", first, strlen(first), "x", 22, &known);
    assert_int_equal(kp_known_hosts_check(&known, b, n, &key), KP_KNOWN_OTHER);
    assert_string_equal(key->file, "first");
    assert_int_equal(key->line, 2);
    kp_known_hosts_read(a, "second", second, strlen(second), "x", 22, &known);
    assert_int_equal(known.n, 2);
    assert_int_equal(kp_known_hosts_check(&known, b, n, &key), KP_KNOWN);
    assert_string_equal(key->file, "second");
    assert_int_equal(key->line, 3);
}

/* Whatever a file holds, reading it ends and stays inside it. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "@revoked a,!b ssh-ed25519 " ED2 "\n" HASHED " ssh-ed25519 " ED
                               "\n[x]:22,*.y ecdsa-sha2-nistp256 " EC "\n";
    for (size_t n = 0; n <= sizeof text - 1; n++) {
        KP_AUTO_ARENA a = kp_arena_new("cut", 4 << 20);
        char *copy = kp_malloc(n + 1); /* its own block, so that a read past it is seen */
        memcpy(copy, text, n);
        kp_known_keys known = { 0 };
        kp_known_hosts_read(a, "file", copy, n, B1, 22, &known);
        assert_true(known.n <= 1);
        for (size_t i = 0; i < n; i++)
            copy[i] = (char)(i * 7 + n);
        kp_known_hosts_read(a, "file", copy, n, B1, 22, &known);
        free(copy);
    }
}

static void test_fingerprint(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("fingerprint", 1 << 20);
    size_t n;
    const uint8_t *b = blob(a, ED, &n);
    assert_string_equal(kp_known_hosts_fingerprint(a, b, n),
                        "SHA256:5DkpGCSaYceECDK+v8mu6RG9b+kaqQ2NPn89Sz4Lo/w");
    assert_string_equal(kp_known_hosts_blob_type(a, b, n), "ssh-ed25519");
    assert_string_equal(kp_known_hosts_blob_type(a, b, 3), "");
    assert_string_equal(kp_known_hosts_blob_type(a, b, 8), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
