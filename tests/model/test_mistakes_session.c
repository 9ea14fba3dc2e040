/* SPDX-License-Identifier: MIT */
/* Deliberate mistakes with sessions. */
#include "model_mistakes.h"

static void sessions(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_layer *out = dh_dense(p.in, 3, .name = "out");
    dh_session *none = NULL, *session;
    dh_tensor *x, *wide, *y = NULL;
    char *text = NULL;
    assert_ok(dh_tensor_ones(&x, {6, 4}));
    assert_ok(dh_tensor_ones(&wide, {6, 5}));
    CALL(dh_session_new(NULL, p.net), "session_new: out is NULL");
    CALL(dh_session_new(&none, NULL), "session_new: model is NULL");
    CALL(dh_session_new(&none, p.net),
         "session_new: model \"net\" is not built; call dh_build first");
    assert_ok(dh_build(p.net, out));
    CALL(dh_session_new(&none, p.net, .batch_size = -1),
         "session_new: batch_size is -1, must be at least 1");
    CALL(dh_session_new(&none, p.net, .threads = -2),
         "session_new: threads is -2, must be in [1, 4096]");
    CALL((dh_session_new)(&(dh_session_args){.out = &none, .model = p.net}),
         "session_new: struct_size is 0, must be the size of the argument struct (the macro "
         "sets it)");
    assert_null(none);
    assert_ok(dh_session_new(&session, p.net, .batch_size = 4));
    CALL(dh_session_predict(NULL, session, x), "session_predict: out is NULL");
    CALL(dh_session_predict(&y, session, x, .outs = &y),
         "session_predict: both out and outs are given");
    CALL(dh_session_predict(&y, NULL, x), "session_predict: session is NULL");
    CALL(dh_session_predict(&y, session, NULL), "session_predict: x is NULL");
    CALL(dh_session_predict(&y, session, wide),
         "session_predict: input \"in\" takes [N, 4], x is [6, 5]");
    CALL(dh_session_predict(&y, session, .xs = {x, x}),
         "session_predict: has more than the model's 1 inputs");
    assert_null(y);
    CALL(dh_session_profile_text(NULL, session), "session_profile_text: text is NULL");
    CALL(dh_session_profile_text(&text, NULL), "session_profile_text: session is NULL");
    CALL(dh_session_profile_text(&text, session),
         "session_profile_text: session of model \"net\" has no step that was timed; "
         "dh_model_profile(model, true) begins it");
    assert_null(text);
    dh_session_free(NULL);
    assert_ok(dh_session_predict(&y, session, x)); /* none of it has harmed the session */
    none_wrong();
    dh_tensor *all[] = {x, wide, y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) dh_tensor_free(all[i]);
    dh_session_free(session);
    free_parts(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sessions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
