/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - counters, gauges and histograms for Python whose updates are the inline ones of
 * shardmeter.h, one method call each. Stable ABI: one build for CPython 3.9 and later.
 *
 * Nothing here knows about fork, threads or a replaced segment: the inline code finds the thread's
 * lane anew at each update.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>
#include <shardmeter.h>
#include <stdbool.h>

PyMODINIT_FUNC PyInit_probe(void);
static struct sm *m;

/* An instance of any of the classes. Handles live as long as the process. */
struct metric {
	PyObject_HEAD
	void *handle;
};

static void *handle_of(PyObject *self)
{
	return ((struct metric *)(void *)self)->handle;
}

/* Class(name, lang, number=0, decimals=0): a series of a family with the label `lang`. */
static PyObject *new_metric(PyTypeObject *type, PyObject *args, enum sm_kind kind)
{
	struct sm_family_options o = { .kind = kind, .labels = { "lang" }, .unit = SM_SECONDS };
	struct sm_str lang = { NULL, 0 };
	struct sm_family *f;
	struct sm_diag diag;
	PyObject *self;
	int number = 0;
	void *h;

	if (!PyArg_ParseTuple(args, "ss|iI", &o.name, &lang.ptr, &number, &o.decimals))
		return NULL;
	lang.len = strlen(lang.ptr);
	o.number = (enum sm_number)number;
	if (!m)
		return PyErr_Format(PyExc_RuntimeError, "open() comes first");
	f = sm_declare(m, &o, &diag);
	if (diag.error)
		return PyErr_Format(PyExc_RuntimeError, "%s", diag.message);
	switch (kind) {
	case SM_COUNTER: h = sm_counter(f, &lang, 1); break;
	case SM_GAUGE: h = sm_gauge(f, &lang, 1); break;
	default: h = sm_histogram(f, &lang, 1); break;
	}
	self = PyType_GenericAlloc(type, 0);
	if (self)
		((struct metric *)(void *)self)->handle = h;
	return self;
}

static PyObject *counter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)kwargs;
	return new_metric(type, args, SM_COUNTER);
}

static PyObject *gauge_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)kwargs;
	return new_metric(type, args, SM_GAUGE);
}

static PyObject *histogram_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)kwargs;
	return new_metric(type, args, SM_HISTOGRAM);
}

static PyObject *counter_inc(PyObject *self, PyObject *unused)
{
	(void)unused;
	sm_counter_inc(handle_of(self));
	Py_RETURN_NONE;
}

/* A method of one number. -1 is also what PyFloat_AsDouble() returns for what is none. */
#define METHOD(name, update) \
	static PyObject *name(PyObject *self, PyObject *number) \
	{ \
		double v = PyFloat_AsDouble(number); \
		if (v == -1.0 && PyErr_Occurred()) \
			return NULL; \
		update(handle_of(self), v); \
		Py_RETURN_NONE; \
	}
METHOD(counter_add, sm_counter_add_double)
METHOD(gauge_set, sm_gauge_set)
METHOD(histogram_observe, sm_histogram_observe)

static PyObject *probe_open(PyObject *module, PyObject *args)
{
	struct sm_options o = { .size = sizeof(o) };
	struct sm_diag diag = { 0 };

	(void)module;
	if (!PyArg_ParseTuple(args, "ss", &o.segment, &o.writer))
		return NULL;
	if (!m)
		m = sm_open(&o, &diag);
	if (diag.error)
		return PyErr_Format(PyExc_RuntimeError, "%s", diag.message);
	Py_RETURN_NONE;
}

static PyObject *probe_heartbeat(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyLong_FromLong(m ? sm_heartbeat(m) : 0);
}

static bool add_class(PyObject *module, const char *name, newfunc new, PyMethodDef *methods)
{
	PyType_Slot slots[] = { { Py_tp_new, (void *)new }, { Py_tp_methods, methods },
		{ 0, NULL } };
	PyType_Spec spec = { name, sizeof(struct metric), 0, Py_TPFLAGS_DEFAULT, slots };
	PyObject *type = PyType_FromSpec(&spec);

	return type && PyModule_AddObject(module, strchr(name, '.') + 1, type) == 0;
}

PyMODINIT_FUNC PyInit_probe(void)
{
	static PyMethodDef functions[] = { { "open", probe_open, METH_VARARGS, NULL },
		{ "heartbeat", probe_heartbeat, METH_NOARGS, NULL }, { 0 } };
	static PyMethodDef counter[] = { { "inc", counter_inc, METH_NOARGS, NULL },
		{ "add", counter_add, METH_O, NULL }, { 0 } };
	static PyMethodDef gauge[] = { { "set", gauge_set, METH_O, NULL }, { 0 } };
	static PyMethodDef histogram[] = { { "observe", histogram_observe, METH_O, NULL }, { 0 } };
	static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, .m_name = "probe",
		.m_methods = functions };
	PyObject *module = PyModule_Create(&definition);

	if (module && add_class(module, "probe.Counter", counter_new, counter) &&
		add_class(module, "probe.Gauge", gauge_new, gauge) &&
		add_class(module, "probe.Histogram", histogram_new, histogram))
		return module;
	return NULL;
}
