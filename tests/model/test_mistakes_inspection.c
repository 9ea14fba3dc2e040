/* SPDX-License-Identifier: MIT */
/* One deliberate mistake, or more, in each public function that shows a model. */
#include "model_mistakes.h"

#define HEAD    "{\"format\": \"deephealth-model\", \"version\": 1, \"name\": \"m\", \"layers\": ["
#define IN      "{\"kind\": \"input\", \"name\": \"x\", \"args\": {\"shape\": [4]}}"
#define DENSE   "\n{\"kind\": \"dense\", \"name\": \"d\", \"inputs\": [\"x\"], \"args\": {"
#define TEXT(s) CALL(dh_model_from_json(&net, s[0]), s[1])

static void json_texts(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "model_from_json: the text ends at line 1, column 1, expected \"{\""},
        {"[]", "model_from_json: line 1, column 1 has '[', expected \"{\""},
        {"{}", "model_from_json: key \"format\" is missing"},
        {"{\"format\": 1, \"version\": 1, \"name\": \"m\", \"layers\": []}",
         "model_from_json: line 1, column 12 has '1', expected a string"},
        {"{\"format\": \"onnx\", \"version\": 1, \"name\": \"m\", \"layers\": []}",
         "model_from_json: line 1: format is \"onnx\", must be \"deephealth-model\""},
        {"{\"format\": \"deephealth-model\", \"version\": 2, \"name\": \"m\", \"layers\": []}",
         "model_from_json: line 1: version is 2, this library reads 1"},
        {HEAD "]} x", "model_from_json: line 1, column 73 has 'x', expected the end of the text"},
        {HEAD "], \"input\": []}", "model_from_json: line 1: unknown key \"input\", did you mean "
                                   "\"inputs\"?"},
        {HEAD "],\n\"name\": \"m\"}", "model_from_json: line 2: key \"name\" is there twice"},
        {HEAD "\n{\"kind\": \"a\\nb\"}]}",
         "model_from_json: line 2: no layer kind \"a b\", did you mean \"add\"?"},
        {HEAD "\n{\"name\": \"x\"}]}", "model_from_json: line 2: a layer lacks its kind"},
        {HEAD "\n{\"kind\": \"dens\"}]}",
         "model_from_json: line 2: no layer kind \"dens\", did you mean \"dense\"?"},
        {HEAD IN DENSE "\"unts\": 3}}]}",
         "model_from_json: line 2, column 1 has '{', expected \",\" or \"]\""},
        {HEAD IN "," DENSE "\"unts\": 3}}]}",
         "model_from_json: line 2: dense \"d\": unknown argument \"unts\", did you mean "
         "\"units\"?"},
        {HEAD IN "," DENSE "\"units\":\n\"3\"}}]}",
         "model_from_json: line 3: dense \"d\": units is a string, must be an integer"},
        {HEAD IN "," DENSE "\"units\": 3.5}}]}",
         "model_from_json: line 2: dense \"d\": units is \"3.5\", must be an integer"},
        {HEAD IN "," DENSE "\"units\": 0}}]}",
         "model_from_json: line 2: dense \"d\": units is 0, must be in [1, 1073741824]"},
        {HEAD IN "," DENSE "}}]}",
         "model_from_json: line 2: dense \"d\": units is 0, must be in [1, 1073741824]"},
        {HEAD IN "," DENSE "\"units\": 3, \"units\": 3}}]}",
         "model_from_json: line 2: dense \"d\": units is there twice"},
        {HEAD IN "," DENSE "\"units\": 3, \"name\": \"e\"}}]}",
         "model_from_json: line 2: dense \"d\": the name stands outside of args"},
        {HEAD IN "," DENSE "\"units\": 3, \"activation\": \"rleu\"}}]}",
         "model_from_json: line 2: dense \"d\": dense: no activation \"rleu\", did you mean "
         "\"relu\", \"relu6\" or \"elu\"?"},
        {HEAD IN ",\n{\"kind\": \"relu\", \"inputs\": [\"y\"]}]}",
         "model_from_json: line 2: input \"y\" is no layer before this; known: x"},
        {HEAD IN ",\n{\"kind\": \"add\", \"name\": \"s\", \"inputs\": [\"x\"]}]}",
         "model_from_json: line 2: add \"s\": has 1 input, takes 2 to 16"},
        {HEAD IN ",\n{\"kind\": \"relu\"}]}",
         "model_from_json: line 2: relu: has 0 inputs, takes 1"},
        {HEAD IN
         ",\n{\"kind\": \"relu\", \"name\": \"r\", \"inputs\": [\"x\"], \"shares\": \"x\"}]}",
         "model_from_json: line 2: relu \"r\" shares the parameters and arguments of input \"x\": "
         "both must be of one kind, with as many inputs, and args be left away"},
        {HEAD IN "," IN "]}",
         "model_from_json: line 1: input: the model has a layer named \"x\" already"},
        {HEAD IN "], \"outputs\": [\"y\"]}",
         "model_from_json: line 1: output \"y\" is no layer before this; known: x"},
        {HEAD IN ",\n{\"kind\": \"relu\", \"name\": \"r\", \"inputs\": [\"x\"]}], \"inputs\": "
                 "[\"r\"], \"outputs\": [\"r\"]}",
         "model_from_json: line 2: input \"r\" is of kind relu, must be an input layer"},
        {HEAD "{\"kind\": \"input\", \"frozen\": 1}]}",
         "model_from_json: line 1, column 98 has '1', expected true or false"},
        {HEAD "{\"kind\": \"input\", \"args\": {\"shape\": [4, \"a\"]}}]}",
         "model_from_json: line 1: input: shape is \"[4, \"a\"]\", must be integers"},
        {HEAD "{\"kind\": \"input\", \"args\": {\"dtype\": \"f33\"}}]}",
         "model_from_json: line 1: input: dtype is \"f33\", which names no choice, did you mean "
         "\"f32\", \"f64\" or \"f16\"?"},
        {HEAD "{\"kind\": \"input\", \"args\": {\"shape\": [4611686018427387904, 9]}}]}",
         "model_from_json: line 1: input \"input1\": graph: a tensor [N, 4611686018427387904, 9] "
         "f32 does not fit in memory"}};
    dh_model *net = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) TEXT(rows[i]);
    assert_null(net);
    none_wrong();
}

static void json_calls(void **state)
{
    (void)state;
    parts p = make_parts();
    char *text = NULL;
    dh_model *net = NULL;
    CALL(dh_model_to_json(NULL, p.net), "model_to_json: text is NULL");
    CALL(dh_model_to_json(&text, NULL), "model_to_json: model is NULL");
    CALL(dh_model_from_json(NULL, "{}"), "model_from_json: out is NULL");
    CALL(dh_model_from_json(&net, NULL), "model_from_json: text is NULL");
    CALL(dh_save_model_json(NULL, "m.json"), "save_model_json: model is NULL");
    CALL(dh_save_model_json(p.net, NULL), "save_model_json: path is NULL");
    CALL(dh_save_model_json(p.net, "/no/such/folder/m.json"),
         "save_model_json: write \"/no/such/folder/m.json\": No such file or directory");
    CALL(dh_load_model_json(NULL, "m.json"), "load_model_json: out is NULL");
    CALL(dh_load_model_json(&net, NULL), "load_model_json: path is NULL");
    CALL(dh_load_model_json(&net, "/no/such/file"),
         "load_model_json: open \"/no/such/file\": No such file or directory");
    CALL(dh_load_model_json(&net, "/dev/null"),
         "load_model_json: read \"/dev/null\": it is a device, not a file");
    assert_null(dh_model_input(NULL, 0));
    assert_null(dh_model_output(p.net, 0));
    assert_non_null(dh_relu(p.in, .name = "\xff"));
    CALL(dh_model_to_json(&text, p.net),
         "model_to_json: relu \"\xff\": the name is no valid UTF-8, which JSON needs");
    assert_null(dh_dense(p.in, 0));
    CALL(dh_model_to_json(&text, p.net),
         "model_to_json: dense \"dense1\": units is 0, must be in [1, 1073741824]");
    assert_null(text);
    assert_null(net);
    none_wrong();
    free_parts(&p);
}

static void pictures(void **state)
{
    (void)state;
    parts p = make_parts();
    char *text = NULL;
    CALL(dh_model_to_dot(NULL, p.net), "model_to_dot: text is NULL");
    CALL(dh_model_to_dot(&text, NULL), "model_to_dot: model is NULL");
    CALL(dh_model_plot(NULL, "net.svg"), "model_plot: model is NULL");
    CALL(dh_model_plot(p.net, NULL), "model_plot: path is NULL");
    CALL(dh_model_plot(p.net, "/no/such/folder/net.svg"),
         "model_plot: write \"/no/such/folder/net.svg\": No such file or directory");
    CALL(dh_model_plot_histograms(NULL, "h.png", NULL), "model_plot_histograms: model is NULL");
    CALL(dh_model_plot_histograms(p.net, NULL, NULL), "model_plot_histograms: path is NULL");
    CALL(dh_model_plot_histograms(p.net, "h.png", "gradient"),
         "model_plot_histograms: no values \"gradient\", did you mean \"gradients\"?");
    CALL(dh_model_plot_histograms(p.net, "h.png", NULL),
         "model_plot_histograms: model \"net\" is not built; call dh_build first");
    assert_ok(dh_build(p.net, dh_relu(p.in)));
    CALL(dh_model_plot_histograms(p.net, "h.png", NULL),
         "model_plot_histograms: model \"net\" has no parameters");
    dh_layer *d = dh_dense(p.in, 2, .name = "d");
    assert_ok(dh_build(p.net, d, .loss = "mse"));
    CALL(dh_model_plot_histograms(p.net, "h.png", "gradients"),
         "model_plot_histograms: model \"net\" has no gradients yet; train it or call backward "
         "first");
    CALL(dh_model_plot_histograms(p.net, "/no/such/folder/h.png", NULL),
         "model_plot_histograms: write \"/no/such/folder/h.png\": No such file or directory");
    assert_null(dh_dense(p.in, 0));
    CALL(dh_model_plot(p.net, "net.svg"),
         "model_plot: dense \"dense2\": units is 0, must be in [1, 1073741824]");
    assert_null(text);
    none_wrong();
    free_parts(&p);
}

static void work(void **state)
{
    (void)state;
    parts p = make_parts();
    dh_work_report r = {7, 7, 7};
    CALL(dh_model_work(NULL, p.net), "model_work: out is NULL");
    CALL(dh_model_work(&r, NULL), "model_work: model is NULL");
    assert_null(dh_dense(p.in, 0));
    CALL(dh_model_work(&r, p.net),
         "model_work: dense \"dense1\": units is 0, must be in [1, 1073741824]");
    assert_true(r.parameters == 7 && r.trainable == 7 && r.flops == 7);
    none_wrong();
    free_parts(&p);
}

static void profile(void **state)
{
    (void)state;
    parts p = make_parts();
    char *text = NULL;
    CALL(dh_profile(NULL), "profile: model is NULL");
    CALL(dh_profile_text(NULL, p.net), "profile_text: text is NULL");
    CALL(dh_profile_text(&text, NULL), "profile_text: model is NULL");
    CALL(dh_profile_text(&text, p.net),
         "profile_text: model \"net\" has no step that was timed; dh_model_profile(model, true) "
         "begins it");
    CALL(dh_profile_trace(NULL, "t.json"), "profile_trace: model is NULL");
    CALL(dh_profile_trace(p.net, NULL), "profile_trace: path is NULL");
    CALL(dh_profile_trace(p.net, "t.json"),
         "profile_trace: model \"net\" has no step that was timed; dh_model_profile(model, true) "
         "begins it");
    assert_null(text);
    none_wrong();
    free_parts(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json_texts), cmocka_unit_test(json_calls),
                                       cmocka_unit_test(pictures), cmocka_unit_test(work),
                                       cmocka_unit_test(profile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
