/* Determinism: each file of tests/determinism is the body of a playbook's run, and says the same in
 * twenty processes, each with its own addresses and its own seed of Lua's hash.
 *
 * That the processes do differ is shown by the same measure: Lua's own pairs does not answer alike.
 */
#include "luaapi/with_engine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 20 };

/* What this program prints for `file`; it is begun anew, as a fork would share addresses and seed.
 */
static char *in_process(kp_arena *a, const char *file)
{
    int fd[2], status;
    size_t n = 0, cap = (size_t)1 << 20;
    char *got = kp_alloc(a, cap + 1);

    assert_int_equal(pipe(fd), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fd[1], STDOUT_FILENO);
        close(fd[0]);
        execl("/proc/self/exe", "test_determinism", file, (char *)NULL);
        _exit(9);
    }
    close(fd[1]);
    for (ssize_t k; n < cap && (k = read(fd[0], got + n, cap - n)) > 0;)
        n += (size_t)k;
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return got;
}

static int is_lua(const struct dirent *entry)
{
    return kp_ends_with(entry->d_name, ".lua");
}

static void says_the_same_in_every_process(void **state)
{
    struct dirent **entry;
    int n = scandir(KPLAY_SOURCE_DIR "/tests/determinism", &entry, is_lua, alphasort), failed = 0;
    (void)state;

    assert_true(n >= 15);
    for (int i = 0; i < n; i++) {
        KP_AUTO_ARENA a = kp_arena_new("row", (size_t)64 << 20);
        const char *file = kp_printf(a, KPLAY_SOURCE_DIR "/tests/determinism/%s", entry[i]->d_name);
        const char *first = in_process(a, file);
        bool same = *first != '\0';
        for (int k = 1; k < PROCESSES && same; k++)
            same = kp_streq(in_process(a, file), first);
        if (!same) {
            printf("%s: not the same in every process\n", entry[i]->d_name);
            failed++;
        }
        free(entry[i]);
    }
    free(entry);
    assert_int_equal(failed, 0);
}

static void the_processes_differ(void **state)
{
    const char *first = in_process(*state, "stock");
    int others = 0;

    for (int k = 1; k < PROCESSES; k++)
        others += !kp_streq(in_process(*state, "stock"), first);
    assert_true(others > PROCESSES / 2);
}

/* ---- what one process does ---- */

static int stock(void)
{
    static const char chunk[] = "local t = {}\nfor i = 1, 200 do t['key' .. i] = i end\n"
                                "for k in pairs(t) do io.write(k, ' ') end";
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    int bad = luaL_loadbufferx(L, chunk, sizeof chunk - 1, "=stock", "t") || lua_pcall(L, 0, 0, 0);
    lua_close(L);
    return bad;
}

static int one(const char *file)
{
    KP_AUTO_ARENA a = kp_arena_new("one", (size_t)64 << 20);
    char *text;

    if (kp_streq(file, "stock"))
        return stock();
    kp_err *e = kp_file_read(a, file, KP_SCRIPT_LIMIT, &text, NULL);
    if (e) {
        kp_err_drop(e);
        return 1;
    }
    fputs(outcome(a, kp_printf(a, "\n%s", text)), stdout);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(says_the_same_in_every_process),
        STAGE_TEST(the_processes_differ),
    };
    if (argc == 2)
        return one(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
