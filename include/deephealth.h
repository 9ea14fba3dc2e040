/* SPDX-License-Identifier: MIT */
/* libdeephealth: deep learning and medical computer vision in C. */
#ifndef DEEPHEALTH_H
#define DEEPHEALTH_H

#include <deephealth/callbacks.h>
#include <deephealth/computing_service.h>
#include <deephealth/datasets.h>
#include <deephealth/devices.h>
#include <deephealth/dtype.h>
#include <deephealth/inspection.h>
#include <deephealth/layers.h>
#include <deephealth/layers_image.h>
#include <deephealth/layers_more.h>
#include <deephealth/log.h>
#include <deephealth/memory.h>
#include <deephealth/model.h>
#include <deephealth/optimizers.h>
#include <deephealth/session.h>
#include <deephealth/source.h>
#include <deephealth/status.h>
#include <deephealth/tensor.h>
#include <deephealth/tensor_io.h>
#include <deephealth/tensor_linalg.h>
#include <deephealth/tensor_math.h>
#include <deephealth/tensor_reduce.h>
#include <deephealth/tensor_shape.h>
#include <deephealth/version.h>
#include <deephealth/zoo.h>

#endif
