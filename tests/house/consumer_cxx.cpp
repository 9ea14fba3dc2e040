// SPDX-License-Identifier: MIT
// The same from C++17, which fills the argument structs.
#include <cstdio>
#include <deephealth.h>

int main()
{
    dh_tensor *x, *y;
    if (dh_digits_generate(&x, &y, 500, 1)) return dh_perror("digits");
    dh_model_args m{};
    m.struct_size = sizeof m;
    m.name = "consumer";
    dh_model *net = dh_model_new(&m);
    dh_input_args in{};
    in.struct_size = sizeof in;
    in.shape[0] = 784;
    dh_dense_args d{};
    d.struct_size = sizeof d;
    d.x = dh_input(net, &in);
    d.units = 10;
    dh_act_args s{};
    s.struct_size = sizeof s;
    s.x = dh_dense(&d);
    dh_build_args b{};
    b.struct_size = sizeof b;
    b.model = net;
    b.output = dh_softmax(&s);
    b.loss = "cross_entropy";
    b.metrics[0] = "accuracy";
    dh_sgd_args o{};
    o.struct_size = sizeof o;
    o.learning_rate = 0.1f;
    b.optimizer = dh_sgd(&o);
    if (dh_build(&b)) return dh_perror("build");
    dh_fit_args f{};
    f.struct_size = sizeof f;
    f.model = net;
    f.x = x;
    f.y = y;
    f.batch_size = 50;
    f.epochs = 5;
    f.quiet = true;
    if (dh_fit(&f)) return dh_perror("fit");
    dh_result r;
    dh_evaluate_args e{};
    e.struct_size = sizeof e;
    e.model = net;
    e.x = x;
    e.y = y;
    e.result = &r;
    e.quiet = true;
    if (dh_evaluate(&e)) return dh_perror("evaluate");
    std::printf("accuracy %.3f\n", r.metrics[0]);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return r.metrics[0] > 0.7 ? 0 : 1;
}
