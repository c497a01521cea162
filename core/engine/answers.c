/* Answers as specs write them.  In a file of their own: who only reads the words needs no run. */
#include "engine/engine.h"

const char *const kp_answer_words[] = {
    "yes", "no", "nobody", "interrupt", "back_out", "stop", NULL
};

bool kp_answer_of(const char *word, kp_asked kind, kp_answer *ret_answer)
{
    static const struct {
        kp_answer answer;
        bool of_failure;
    } means[] = { { KP_ANSWER_YES, false },  { KP_ANSWER_NO, false }, { KP_ANSWER_NOBODY, false },
                  { KP_ANSWER_LEFT, false }, { KP_ANSWER_YES, true }, { KP_ANSWER_NO, true } };
    for (size_t i = 0; kp_answer_words[i]; i++)
        if (kp_streq(word, kp_answer_words[i])) {
            *ret_answer = means[i].answer;
            return !means[i].of_failure || kind == KP_ASK_FAILURE;
        }
    return false;
}
