//! What a component will cost the compiler and the host, counted before either spends anything on it.
//!
//! Components within a component are compiled into one another wherever they are instantiated: a few bytes that instantiate a
//! component twice, which instantiates another one twice, and so on, stand for millions of instances. What they multiply to is
//! counted here.

use telemetry_core::limits;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef,
    Encoding, FunctionBody, Payload,
};

use crate::error::LoadError;
use crate::outline::malformed;

/// Counts over everything inside one component.
#[derive(Default)]
pub(crate) struct Census {
    modules: u64,
    functions: u64,
    memories: u64,
    tables: u64,
    globals: u64,
    types: u64,
    /// Bytes times local variables of all functions.
    work: u64,
    /// The modules and components that are open, outermost first.
    levels: Vec<Level>,
    /// The most that instances of any component seen so far stand for.
    costliest: u64,
}

/// A module or component that is being read.
struct Level {
    encoding: Encoding,
    /// What instantiating each component of its index space stands for, in instances.
    components: Vec<u64>,
    /// What instantiating this one stands for.
    instances: u64,
}

impl Census {
    /// How many modules and components are open.
    pub(crate) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Counts one payload; the error names what there is too much of.
    pub(crate) fn count(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        match payload {
            Payload::Version { encoding, .. } => self.open(*encoding),
            Payload::End(_) => {
                self.close();
                Ok(())
            }
            Payload::CodeSectionStart { count, .. } => {
                add(&mut self.functions, (*count).into(), "functions", limits::MAX_COMPONENT_FUNCTIONS)
            }
            Payload::CodeSectionEntry(body) => self.function(body),
            Payload::MemorySection(section) => {
                add(&mut self.memories, section.count().into(), "memories", limits::MAX_CORE_INSTANCES as u64)
            }
            Payload::TableSection(section) => {
                add(&mut self.tables, section.count().into(), "tables", limits::MAX_CORE_INSTANCES as u64)
            }
            Payload::GlobalSection(section) => {
                add(&mut self.globals, section.count().into(), "globals", limits::MAX_COMPONENT_GLOBALS)
            }
            Payload::TypeSection(section) => self.add_types(section.count()),
            Payload::CoreTypeSection(section) => self.add_types(section.count()),
            Payload::ComponentTypeSection(section) => self.add_types(section.count()),
            Payload::InstanceSection(section) => self.instantiate(section.count().into()),
            Payload::ComponentInstanceSection(section) => self.component_instances(section.clone()),
            Payload::ComponentAliasSection(section) => self.aliases(section.clone()),
            Payload::ComponentImportSection(section) => check_imports(section.clone()),
            Payload::ComponentExportSection(section) => self.exports(section.clone()),
            _ => Ok(()),
        }
    }

    fn open(&mut self, encoding: Encoding) -> Result<(), LoadError> {
        self.levels.push(Level { encoding, components: Vec::new(), instances: 1 });
        within("levels of nesting", self.levels.len() as u64, limits::MAX_COMPONENT_DEPTH)?;
        let modules = u64::from(encoding == Encoding::Module);
        add(&mut self.modules, modules, "core modules", limits::MAX_COMPONENT_MODULES.into())
    }

    fn close(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        if level.encoding == Encoding::Component {
            self.costliest = self.costliest.max(level.instances);
            if let Some(parent) = self.levels.last_mut() {
                parent.components.push(level.instances);
            }
        }
    }

    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), LoadError> {
        let bytes = body.range().len() as u64;
        within("bytes in one function", bytes, limits::MAX_FUNCTION_BYTES as u64)?;
        let mut locals = 0_u64;
        for group in body.get_locals_reader().map_err(malformed)? {
            locals = locals.saturating_add(group.map_err(malformed)?.0.into());
        }
        // The compiler looks at each variable at each branch.
        let work = bytes.saturating_mul(locals);
        within("bytes times local variables in one function", work, limits::MAX_FUNCTION_WORK)?;
        add(&mut self.work, work, "bytes times local variables", limits::MAX_COMPONENT_WORK)
    }

    fn add_types(&mut self, count: u32) -> Result<(), LoadError> {
        add(&mut self.types, count.into(), "types", limits::MAX_COMPONENT_TYPES)
    }

    /// Something is instantiated that stands for so many instances.
    fn instantiate(&mut self, instances: u64) -> Result<(), LoadError> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        add(&mut level.instances, instances, "instances", limits::MAX_COMPONENT_INSTANCES)
    }

    fn component_instances(
        &mut self,
        section: wasmparser::ComponentInstanceSectionReader<'_>,
    ) -> Result<(), LoadError> {
        for instance in section {
            let inside = match instance.map_err(malformed)? {
                // A component that is not there is the compiler's to refuse.
                ComponentInstance::Instantiate { component_index, .. } => self.cost(0, component_index),
                ComponentInstance::FromExports(_) => 0,
            };
            self.instantiate(inside.saturating_add(1))?;
        }
        Ok(())
    }

    /// What the component with this index stands for, `outward` levels from the one that is open.
    fn cost(&self, outward: u32, index: u32) -> u64 {
        let level = self.levels.len().checked_sub(1 + outward as usize).and_then(|at| self.levels.get(at));
        level.and_then(|level| level.components.get(index as usize)).copied().unwrap_or(0)
    }

    fn aliases(&mut self, section: wasmparser::ComponentAliasSectionReader<'_>) -> Result<(), LoadError> {
        for alias in section {
            let cost = match alias.map_err(malformed)? {
                ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                    self.cost(count, index)
                }
                // Which component it is shows only later; it is one of those before.
                ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                    self.costliest
                }
                _ => continue,
            };
            self.push_component(cost);
        }
        Ok(())
    }

    fn exports(&mut self, section: wasmparser::ComponentExportSectionReader<'_>) -> Result<(), LoadError> {
        for export in section {
            let export = export.map_err(malformed)?;
            // An export is known under a new index, too.
            if export.kind == ComponentExternalKind::Component {
                self.push_component(self.cost(0, export.index));
            }
        }
        Ok(())
    }

    fn push_component(&mut self, cost: u64) {
        if let Some(level) = self.levels.last_mut() {
            level.components.push(cost);
        }
    }
}

/// A component that is handed in from elsewhere could be any: its cost would be unknown.
fn check_imports(section: wasmparser::ComponentImportSectionReader<'_>) -> Result<(), LoadError> {
    for import in section {
        if let ComponentTypeRef::Component(_) = import.map_err(malformed)?.ty {
            let reason = "a component inside it takes another component as a parameter".to_owned();
            return Err(LoadError::Compile { reason });
        }
    }
    Ok(())
}

fn add(total: &mut u64, more: u64, what: &'static str, limit: u64) -> Result<(), LoadError> {
    *total = total.saturating_add(more);
    within(what, *total, limit)
}

fn within(what: &'static str, size: u64, limit: u64) -> Result<(), LoadError> {
    if size > limit { Err(LoadError::TooLarge { what, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::Outline;

    fn refused(text: &str) -> &'static str {
        match Outline::read(&wat::parse_str(text).unwrap()) {
            Err(LoadError::TooLarge { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_giant_function_is_refused_before_it_is_compiled() {
        let body = "(drop (i32.const 77))".repeat(limits::MAX_FUNCTION_BYTES / 3);
        assert_eq!(refused(&format!("(component (core module (func {body})))")), "bytes in one function");
    }

    #[test]
    fn many_variables_in_a_long_function_are_refused() {
        let (locals, body) = ("(local i64)".repeat(50_000), "(drop (i32.const 77))".repeat(100_000));
        assert_eq!(
            refused(&format!("(component (core module (func {locals} {body})))")),
            "bytes times local variables in one function"
        );
    }

    #[test]
    fn many_functions_at_the_limit_are_refused() {
        let (locals, body) = ("(local i64)".repeat(2_000), "(drop (i32.const 77))".repeat(100_000));
        let module = format!("(core module {})", format!("(func {locals} {body})").repeat(3));
        assert_eq!(
            refused(&format!("(component {module} {module} {module})")),
            "bytes times local variables"
        );
    }

    #[test]
    fn too_many_of_anything_are_refused() {
        let modules = "(core module)".repeat(limits::MAX_COMPONENT_MODULES as usize + 1);
        assert_eq!(refused(&format!("(component {modules})")), "core modules");
        let memories = "(core module (memory 0) (memory 0) (memory 0))".repeat(100);
        assert_eq!(refused(&format!("(component {memories})")), "memories");
        let tables = format!("(core module {})", "(table 0 funcref)".repeat(90)).repeat(3);
        assert_eq!(refused(&format!("(component {tables})")), "tables");
        let globals = "(global i32 (i32.const 0))".repeat(limits::MAX_COMPONENT_GLOBALS as usize + 1);
        assert_eq!(refused(&format!("(component (core module {globals}))")), "globals");
        let types = "(type (list u8))".repeat(limits::MAX_COMPONENT_TYPES as usize + 1);
        assert_eq!(refused(&format!("(component {types})")), "types");
        let depth = limits::MAX_COMPONENT_DEPTH as usize + 1;
        let nested = format!("{}{}", "(component ".repeat(depth), ")".repeat(depth));
        assert_eq!(refused(&nested), "levels of nesting");
        let instances = "(core instance (instantiate $m))".repeat(limits::MAX_COMPONENT_INSTANCES as usize);
        assert_eq!(refused(&format!("(component (core module $m) {instances})")), "instances");
    }

    /// Each component instantiates the one before twice: 2 to the power of their number, from some dozen bytes each.
    fn doubling(components: usize) -> String {
        let mut text = "(component (component $c0)".to_owned();
        for n in 1..components {
            let before = n - 1;
            text += &format!(
                "(component $c{n} (alias outer 1 $c{before} (component $x)) (instance (instantiate $x)) (instance (instantiate $x)))"
            );
        }
        text + &format!("(instance (instantiate $c{})))", components - 1)
    }

    #[test]
    fn instances_that_multiply_are_counted_as_what_they_become() {
        assert!(Outline::read(&wat::parse_str(doubling(8)).unwrap()).is_ok());
        assert_eq!(refused(&doubling(40)), "instances");
        let handed_on = r#"(component
            (component $one (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))
            (component $outer (alias outer 1 $one (component $x)) (export "c" (component $x)))
            (instance $i (instantiate $outer))
            (alias export $i "c" (component $again))
            (instance (instantiate $again)))"#;
        assert!(Outline::read(&wat::parse_str(handed_on).unwrap()).is_ok());
    }

    #[test]
    fn a_component_as_a_parameter_is_refused() {
        let text = r#"(component (component (import "c" (component $c)) (instance (instantiate $c))))"#;
        let refused = Outline::read(&wat::parse_str(text).unwrap());
        assert!(matches!(refused, Err(LoadError::Compile { .. })), "{refused:?}");
    }
}
